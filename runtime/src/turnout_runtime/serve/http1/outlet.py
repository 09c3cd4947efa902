"""What an intake asks of its connection."""

from typing import Protocol

from turnout_runtime.serve.http1.request import Request


class Outlet(Protocol):
    """Where complete requests go."""

    @property
    def free(self) -> bool:
        """Whether no earlier request is still owed its answer."""

    def take(self, request: Request) -> None:
        """A request is complete, or has its refusal."""

    def interim(self, line: bytes) -> None:
        """Send an interim answer."""
