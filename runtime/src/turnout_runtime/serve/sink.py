"""Where finished predictions go: metrics, the prediction log, and stderr for those that failed."""

import asyncio
import logging
from collections.abc import Iterator, Sequence

from turnout_runtime.log.privacy import Privacy
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.log.sampling import sampled
from turnout_runtime.log.writer import LogWriter
from turnout_runtime.predict.prediction import Prediction, Sink
from turnout_runtime.serve.metrics import ServingMetrics
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.serve")


class PredictionSink:
    """Takes each prediction once; never raises, so that telling about a request cannot fail it.

    Those of one turn of the event loop are told about together, behind their answers: that leaves this code in the
    processor's caches from one to the next, which is worth a fifth of it.
    """

    def __init__(
        self,
        identity: Identity,
        metrics: ServingMetrics,
        log: LogWriter | None,
        privacy: Privacy | None = None,
        sample: float = 1.0,
        sketch: Sink | None = None,
    ) -> None:
        """Without a `log` there are no records; `sample` is the share of ordinary predictions that leave one.

        `sketch` sees all predictions.
        """
        self._encode, self._metrics, self._records = Encoder(identity, privacy, sample), metrics, log
        self._sample, self._immediate = sample, log is not None and log.immediate
        self._sketch = sketch
        self._throttle = Throttle()
        self._fresh: list[Prediction] = []

    def __call__(self, prediction: Prediction) -> None:
        """Count it, log its record, and tell what failed, at most once a second for each type of error: soon."""
        if self._immediate:
            self._take((prediction,))
            return
        if not self._fresh:
            asyncio.get_running_loop().call_soon(self._tell_all)
        self._fresh.append(prediction)

    def _tell_all(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._take(fresh)

    def _take(self, fresh: Sequence[Prediction]) -> None:
        """One thing after the other for all of them, for the same reason."""
        for prediction in fresh:
            self._metrics.observe(prediction)
        if self._sketch is not None:
            for prediction in fresh:
                self._sketch(prediction)
        if self._records is not None:
            self._records.put(list(self._lines(fresh, self._records)))
        for prediction in fresh:
            if prediction.status == "error" and prediction.error is not None:
                self._tell(prediction, "prediction failed", prediction.error)

    def _lines(self, fresh: Sequence[Prediction], records: LogWriter) -> Iterator[bytes]:
        encode, sample = self._encode, self._sample
        for prediction in fresh:
            if sample < 1.0 and not sampled(prediction, sample):
                records.sampled_out += 1
                continue
            try:
                yield encode(prediction)
            except (TypeError, ValueError, RecursionError) as error:  # odd things in facts or features
                records.drop("not_encodable")
                self._tell(prediction, "record not encodable", error)

    def _tell(self, prediction: Prediction, message: str, error: BaseException) -> None:
        kind = type(error).__name__
        if self._throttle.allows(f"{message}: {kind}"):
            fields = {"prediction_id": prediction.prediction_id, "error_type": kind}
            _log.error(message, exc_info=error, extra=fields)
