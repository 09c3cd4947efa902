"""What the protocol asks of the application behind it."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from turnout_runtime.errors import RequestError
from turnout_runtime.serve.http1.request import Request

if TYPE_CHECKING:
    from turnout_runtime.serve.http1.connection import Connection

Answer = Coroutine[Any, Any, bytes | None]
"""Gives the whole answer, or None where it was streamed. Cancelled when the caller goes away."""


class Begun(Protocol):
    """An answer that is on its way already, and needs no task. Cancelled when the caller goes away."""

    def then(self, finished: Callable[[bytes | BaseException], object], /) -> None:
        """What is to be told the answer, or what was raised instead; not from within this call."""

    def cancel(self) -> object:
        """Nobody waits for it any more."""


class App(Protocol):
    """Answers are made by `respond`; none of the three may raise."""

    def begin(self, request: Request) -> bytes | Begun | None:
        """The head is complete. An answer here spares the body, which is read and thrown away."""

    def answer(self, request: Request, connection: "Connection") -> "bytes | Begun | Answer":
        """The body is complete: answer at once or, for what takes time, in a task of its own."""

    def refuse(self, request: Request, error: RequestError) -> bytes:
        """The request is not acceptable as HTTP, or too large, or too slow."""
