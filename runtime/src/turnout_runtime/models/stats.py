"""What a model has done so far: plain numbers, written by the event loop's thread alone."""

from bisect import bisect_left
from dataclasses import dataclass, field

from turnout_runtime.telemetry.histogram import SECONDS, Histogram


@dataclass(slots=True)
class ModelStats:
    """Counts since the model was loaded; warm-up runs are not in them.

    `batches` model runs with `rows` rows in all; `seconds` is the histogram of the runs' durations; `last_batch` rows
    were in the run that finished last, which is a row's own run when it is read right after `Model.score`.
    `failed` rows ended in an error of the model, `late` ones in a `RequestTimeout` of their own.
    """

    batches: int = 0
    rows: int = 0
    failed: int = 0
    late: int = 0
    last_batch: int = 0
    seconds: Histogram = field(default_factory=Histogram)

    def add(self, rows: int, seconds: float) -> None:
        """Count one run."""
        self.batches += 1
        self.rows += rows
        self.last_batch = rows
        histogram = self.seconds  # its `observe`, without the call: this is paid by every prediction
        histogram.counts[bisect_left(SECONDS, seconds)] += 1
        histogram.sum += seconds
