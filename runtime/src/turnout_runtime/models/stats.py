"""What a model has done so far: plain numbers, written by the event loop's thread alone."""

from bisect import bisect_left
from dataclasses import dataclass, field

from turnout_runtime.telemetry.histogram import Histogram

RUN_SECONDS = (
    *(0.00002, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Buckets of a run's duration: small models take some microseconds."""


@dataclass(slots=True)
class ModelStats:
    """Counts since the model was loaded; warm-up runs are not in them.

    `batches` model runs with `rows` rows in all; `seconds` is the histogram of the runs' durations; `last_batch` rows
    were in the run that finished last, which is a row's own run when it is read right after `Model.score`.
    `failed` rows ended in an error of the model, `late` ones in a `RequestTimeout` of their own, at their deadline or
    as soon as it could not be kept.
    """

    batches: int = 0
    rows: int = 0
    failed: int = 0
    late: int = 0
    last_batch: int = 0
    seconds: Histogram = field(default_factory=lambda: Histogram(RUN_SECONDS))

    def add(self, rows: int, seconds: float) -> None:
        """Count one run."""
        self.batches += 1
        self.rows += rows
        self.last_batch = rows
        histogram = self.seconds  # its `observe`, without the call: this is paid by every prediction
        histogram.counts[bisect_left(RUN_SECONDS, seconds)] += 1
        histogram.sum += seconds
