"""Looks at something again and again while something else goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from benchmarks.harness import proc

T = TypeVar("T")


@contextmanager
def sampled(read: Callable[[], T], samples: list[T], every: float, settling: float = 0.0) -> Iterator[None]:
    """Append what `read` gives every so many seconds, first after `settling`; what raises OSError is left out."""
    ended = threading.Event()

    def sample() -> None:
        ended.wait(settling)
        while not ended.wait(every):
            with suppress(OSError):
                samples.append(read())

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def memory_of(pid: int) -> int:
    """Resident bytes of a process and its children."""
    return proc.resident(proc.family(pid, proc.table()))
