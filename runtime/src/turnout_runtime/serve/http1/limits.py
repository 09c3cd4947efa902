"""What a connection may take of the pod."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. Each time is of a whole: trickling bytes does not prolong it."""

    body_bytes: int
    body_seconds: float
    """From the end of the head to the end of the body."""
    head_bytes: int = 64 * 1024  # a little more than Envoy passes on
    head_seconds: float = 10.0
    """From the first byte of a head to its end, and from connecting to the end of the first head."""
    idle_seconds: float = 3630.0  # longer than a proxy's idle timeout (an hour), so that the proxy closes first
    write_seconds: float = 30.0
    """How long a caller may leave an answer unread."""
    linger_seconds: float = 2.0
    """How long input is still thrown away after the last answer: closing at once could destroy that answer."""
    pipelined: int = 32
    """Complete requests of one connection that may wait; beyond, nothing more is read from it."""
