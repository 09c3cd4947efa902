"""What became of predictions, by the runtime's own counters."""

from dataclasses import dataclass

from benchmarks.harness.metrics import Metrics

PRUNED = "disk_bound"
"""The reason of rows that were written, and had to make room before they were delivered."""


@dataclass(frozen=True)
class Counts:
    """Predictions that were answered, in any way; rows that were written; rows that were lost, by reason."""

    answered: int
    written: int
    dropped: dict[str, int]

    @property
    def pruned(self) -> int:
        return self.dropped.get(PRUNED, 0)

    @property
    def refused(self) -> int:
        """Rows that were never written."""
        return sum(self.dropped.values()) - self.pruned

    @property
    def missing(self) -> int:
        """Predictions that were neither written nor told as dropped, or told twice."""
        return abs(self.answered - self.written - self.refused)


def counts(metrics: Metrics) -> Counts:
    """From the runtime's metrics."""
    dropped = metrics.by("turnout_log_dropped_total", "reason")
    return Counts(
        answered=int(metrics.total("turnout_requests_total")),
        written=int(metrics.total("turnout_log_records_total")),
        dropped={reason: int(count) for reason, count in dropped.items() if count},
    )
