"""What is being done, and for how long: a live line on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

console = Console(file=sys.stderr, highlight=False)
HEARTBEAT_SECONDS = 20.0


class Step:
    """One running step; `note` is shown behind its name."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.note = ""
        self.started = time.monotonic()

    @property
    def elapsed(self) -> str:
        return duration(time.monotonic() - self.started)

    def line(self) -> str:
        return escape(f"{self.title} {self.elapsed}" + (f"  {self.note}" if self.note else ""))


def duration(seconds: float) -> str:
    """Render seconds for people: 0.4 s, 12 s, 5 min 20 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Show `title` while the block runs and how long it took when it ends."""
    current, ended = Step(title), threading.Event()
    watcher = threading.Thread(target=_live if console.is_terminal else _heartbeat, args=(current, ended), daemon=True)
    watcher.start()
    try:
        yield current
    except BaseException:
        console.print(f"[red]✗[/] {current.line()}", soft_wrap=True)
        raise
    else:
        console.print(f"[green]✓[/] {current.line()}", soft_wrap=True)
    finally:
        ended.set()
        watcher.join()


def say(text: str) -> None:
    """Print one line."""
    console.print(text, soft_wrap=True)


def _live(current: Step, ended: threading.Event) -> None:
    if ended.wait(0.5):
        return
    with console.status(current.line()) as status:
        while not ended.wait(0.5):
            status.update(current.line())


def _heartbeat(current: Step, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_SECONDS):
        console.print(f"… {current.line()}", soft_wrap=True)
