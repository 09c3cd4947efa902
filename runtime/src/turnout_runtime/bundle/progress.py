"""How long work tells of its progress, without knowing who shows it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

Tell: TypeAlias = Callable[[int], object]
"""Takes how many more bytes (or examples) are done."""

Progress: TypeAlias = Callable[[str, int | None, str], AbstractContextManager[Tell]]
"""Opens one piece of work: what it is, how much there is (None when that is unknown), and the unit."""


@contextmanager
def quiet(what: str, total: int | None, unit: str) -> Iterator[Tell]:
    """Show nothing."""
    yield lambda amount: None
