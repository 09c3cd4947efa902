"""Which predictions leave a record, where not all of them do. Pure."""

import xxhash

from turnout_runtime.predict.prediction import Prediction

_64_BITS = 2.0**64


def ordinary(prediction: Prediction) -> bool:
    """Whether it is plainly ok: all else is always kept."""
    return prediction.error is None and prediction.fallback is None


def sampled(prediction: Prediction, rate: float) -> bool:
    """Whether its record is kept, at `rate` of the ordinary ones.

    The request's id decides, so that a shadow and its original are kept, or left out, together.
    """
    if not ordinary(prediction):
        return True
    request = prediction.request
    name = request.request_id if request is not None else prediction.route.request_id or ""
    return bool(xxhash.xxh64_intdigest(name.encode(errors="replace")) < rate * _64_BITS)
