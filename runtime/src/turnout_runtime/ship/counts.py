"""What is counted for each sink."""

from collections import Counter
from dataclasses import dataclass, field

REASONS = ("unreachable", "refused", "missing", "timeout", "full", "answered", "failed")


@dataclass(slots=True)
class SinkCounts:
    """Rows and bytes that a sink has got, rows that it will never take, failed attempts by reason, and whether the last
    attempt went well; `error` is what the last failure said.
    """

    rows: int = 0
    bytes: int = 0
    refused: int = 0
    expired_files: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    up: bool = True
    error: str = ""

    def failed(self, reason: str, error: str) -> None:
        """Count an attempt that failed."""
        self.failures[reason if reason in REASONS else "failed"] += 1
        self.up, self.error = False, error

    def delivered(self, rows: int, size: int) -> None:
        """Count what was delivered, in rows and bytes."""
        self.rows += rows
        self.bytes += size
        self.up, self.error = True, ""
