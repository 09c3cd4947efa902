"""What the demo prints: steps with their time, tables, and checks that decide the exit code."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

TITLE_WIDTH = 22
LOG_WIDTH = 112  # columns where there is no terminal to ask


@dataclass
class Step:
    """A step in progress: `note` is what its final line says, `progress` shows one line of a tool's output."""

    console: Console
    status: Status
    title: str
    note: str = ""

    def progress(self, line: str) -> None:
        """Behind the spinner on a terminal; as a line of its own elsewhere, so that a log of hours says something."""
        if self.console.is_terminal:
            room = self.console.width - len(self.title) - 4
            self.status.update(f"{self.title} [dim]{escape(Text.from_ansi(line).plain[:room])}[/]")
        else:
            self.console.print(Text.from_ansi(f"    {line}"), style="dim")


@dataclass
class Screen:
    """The console, and the checks so far."""

    console: Console = field(default_factory=lambda: wide_enough(Console(highlight=False)))
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a spinner, then `✔ title  note  seconds`."""
        started, mark = time.monotonic(), "[red]✘[/]"
        with self.console.status(title) as status:
            step = Step(self.console, status, title)
            try:
                yield step
                mark = "[green]✔[/]"
            finally:
                status.stop()
                seconds = f"{time.monotonic() - started:6.1f} s"
                self.console.print(f"{mark} {title:<{TITLE_WIDTH}}[dim]{seconds}[/]  {step.note}")

    def heading(self, text: str) -> None:
        """A bold line with space above."""
        self.console.print(f"\n[bold]{text}[/]")

    def show(self, content: RenderableType) -> None:
        """Anything rich can print, indented."""
        self.console.print(Padding(content, (0, 0, 0, 2), expand=False))

    def command(self, command: str, purpose: str = "") -> None:
        """A shell command on one line, so that it can be copied, whatever the terminal's width."""
        if purpose:
            self.console.print(f"  [dim]# {purpose}[/]")
        self.console.print(f"  [cyan]{escape(command)}[/]", soft_wrap=True)

    def check(self, passed: bool, text: str) -> None:
        """A line with ✔ or ✘; a ✘ makes the demo's exit code 1."""
        self.console.print(f"  {'[green]✔[/]' if passed else '[bold red]✘[/]'} {text}")
        if not passed:
            self.failures.append(text)


def wide_enough(console: Console) -> Console:
    """Without a terminal rich assumes 80 columns, which would break lines in a log."""
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console


def table(*columns: str) -> Table:
    """A plain table: the first column to the left, figures to the right."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        made.add_column(column, justify="right" if index else "left", no_wrap=True)
    return made
