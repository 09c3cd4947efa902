"""Feedback that came back, by what became of it."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from turnout_runtime.errors import BodyTooLarge, Draining, FeedbackNotKept, InvalidRequest, Overloaded, RequestError
from turnout_runtime.telemetry.tally import counter

_OUTCOMES: tuple[tuple[type[RequestError], str], ...] = (
    (InvalidRequest, "invalid"),
    (BodyTooLarge, "invalid"),
    (Overloaded, "shed"),
    (Draining, "shed"),
    (FeedbackNotKept, "not_kept"),
)


class FeedbackCounts:
    """Counts requests as they are answered, and the rows of those that were accepted."""

    def __init__(self) -> None:
        self.rows = 0
        self.requests: Counter[str] = Counter(dict.fromkeys(("accepted", "error", *(name for _, name in _OUTCOMES)), 0))

    def accepted(self, rows: int) -> None:
        """All rows of a request were kept."""
        self.requests["accepted"] += 1
        self.rows += rows

    def refused(self, error: BaseException) -> None:
        """None of them was."""
        self.requests[next((name for kind, name in _OUTCOMES if isinstance(error, kind)), "error")] += 1

    def collect(self) -> Iterator[Metric]:
        """Render the families."""
        by_outcome = [((outcome,), count) for outcome, count in self.requests.items()]
        yield counter("turnout_feedback", "Requests with feedback by outcome", ("outcome",), by_outcome)
        yield counter("turnout_feedback_rows", "Rows of feedback kept in the log", (), [((), self.rows)])
