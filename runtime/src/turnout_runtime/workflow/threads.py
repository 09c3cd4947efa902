"""Where `def` stages run: as they are marked. Without a mark, a stage that turns out to be slow moves to a thread."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
Placement = Literal["thread", "inline"]
_MARK = "__turnout_placement__"


def threaded(stage: F) -> F:
    """Always run this stage in a thread: it is slow (more than about 2 ms), or waits without `await`."""
    setattr(stage, _MARK, "thread")
    return stage


def inline(stage: F) -> F:
    """Always run this stage on the event loop: it is not safe in a thread. While it runs, nothing else does."""
    setattr(stage, _MARK, "inline")
    return stage


def placement(stage: Callable[..., Any]) -> Placement | None:
    """How the stage is marked."""
    mark: Placement | None = getattr(stage, _MARK, None)
    return mark
