import pytest

from turnout_runtime.errors import Overloaded
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.log.sampling import sampled
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Request


def _prediction(request_id: str, *, shadow: bool = False) -> Prediction:
    prediction = Prediction(Route("late", shadow=shadow), "p", 10**18, 0.0)
    prediction.accept(Request(request_id, None, {}, {}, None))
    return prediction


def test_the_request_decides_so_shadows_go_with_their_originals() -> None:
    names = [f"r-{number}" for number in range(4000)]
    kept = [name for name in names if sampled(_prediction(name), 0.25)]
    assert len(kept) == pytest.approx(1000, abs=100)
    assert kept == [name for name in names if sampled(_prediction(name, shadow=True), 0.25)]
    assert set(kept) < {name for name in names if sampled(_prediction(name), 0.5)}


def test_whatever_is_not_plainly_ok_is_kept_and_counts_for_itself_alone() -> None:
    failed, fell_back = _prediction("r"), _prediction("r")
    failed.fail(ValueError())
    fell_back.fallback = "rules"
    shed = Prediction(Route("late"), "p", 10**18, 0.0)
    shed.fail(Overloaded("queue_full"))
    encode = Encoder(Identity("n", "m", "m-1", "sha256:a"), sample=0.0001)
    for prediction in (failed, fell_back, shed):
        assert sampled(prediction, 0.0001)
        assert b'"sample_rate":1.0' in encode(prediction)
    assert not sampled(_prediction("r"), 0.0001)
    assert b'"sample_rate":0.0001' in encode(_prediction("r"))
