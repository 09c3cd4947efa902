"""Whatever requests come and whatever the workflow does: one prediction each, in time, and nothing is left behind."""

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.predict.planes import ROUTE, Flow, Streaming, plane

from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.answer import answer
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.expiry import Expiry
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.workflow import Decision

TIMEOUT = 0.06
_SLACK = 3.0  # a busy machine may stop a process for longer than any timeout; what hangs does so for ever
_STAGES = st.sampled_from(["fetch", "features", "predict", "decide"])
_CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from([1.0, 2.0, "text", None, 1e39]),
        "sleep": st.dictionaries(_STAGES, st.sampled_from([0.001, 0.02, 5.0]), max_size=2),
        "raise": _STAGES,
        "fact": st.sampled_from(["0", "0.01", "never", None]),
        "step": st.just("own"),
        "chunks": st.lists(st.integers(), max_size=2),
    },
)
_REQUESTS = st.tuples(
    st.sampled_from([None, "a", "b"]),
    _CONTEXTS,
    st.sampled_from([None, 0.0, 0.01, 0.05]),  # the caller's own timeout
    st.sampled_from([None, None, None, 0.0, 0.005]),  # when the caller goes away
)
_LIMITS = st.fixed_dictionaries(
    {"concurrency": st.integers(1, 4), "maxQueueDepth": st.integers(0, 3), "maxQueueWaitSeconds": st.just(0.02)},
    optional={
        "budget": st.fixed_dictionaries(
            {},
            optional={
                name: st.sampled_from([0.005, 0.03])
                for name in ("factsSeconds", "inferenceSeconds", "postprocessSeconds")
            },
        ),
        "cache": st.just({"ttlSeconds": 0.01, "staleIfErrorSeconds": 1, "keyFields": ["context.x"]}),
        "idempotency": st.just({"windowSeconds": 1}),
    },
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_REQUESTS, min_size=1, max_size=8), _LIMITS, st.booleans(), st.booleans())
def test_every_request_ends_in_one_prediction_in_time(
    requests: list[Any], limits: dict[str, Any], streams: bool, default: bool
) -> None:
    asyncio.run(_check(requests, limits, streams, default))


async def _check(requests: list[Any], limits: dict[str, Any], streams: bool, default: bool) -> None:
    seen: list[Prediction] = []
    flow = Streaming() if streams else Flow()
    if default:
        flow.safe_default = Decision("safe", 0.0, 0.0)
    one = plane(seen, flow, timeoutSeconds=TIMEOUT, **limits)
    loop = asyncio.get_running_loop()
    began = loop.time()
    tasks = []
    for request_id, context, timeout, leaves in requests:
        document = {"request_id": request_id, "context": context}
        task = asyncio.create_task(one.predict(ROUTE._replace(timeout=timeout), json.dumps(document).encode()))
        if leaves is not None:
            loop.call_later(leaves, task.cancel)
        tasks.append(task)
    endings = await asyncio.gather(*tasks, return_exceptions=True)
    assert loop.time() - began < TIMEOUT + _SLACK
    assert {type(ending) for ending in endings} <= {Prediction, asyncio.CancelledError}
    predictions = [ending for ending in endings if isinstance(ending, Prediction)]
    _check_rows(predictions, seen, endings, replays=one.idempotency.replayed if one.idempotency else 0)
    assert one.admission is not None
    assert (one.admission.active, one.admission.depth) == (0, 0)
    assert _expiries_are_empty(one)


def _check_rows(predictions: list[Prediction], seen: list[Prediction], endings: list[Any], replays: int) -> None:
    gone = sum(p.error_type == "CallerGone" for p in seen)
    assert len({p.prediction_id for p in seen}) == len(seen)
    assert len(seen) + replays >= len(predictions) + gone
    assert len(seen) <= len(endings)
    for prediction in predictions:
        assert (prediction.error is None) == (prediction.status == "ok") == (prediction.decision is not None)
        if prediction.error is None:
            json.dumps(answer(prediction, "r"))
    for prediction in seen:
        record = json.loads(Encoder(Identity("n", "m", "r", "d"))(prediction))
        assert record["status"] == prediction.status
        assert sum(spent or 0 for stage, spent in record["stages_ms"].items() if stage != "total") <= (
            record["stages_ms"]["total"] + 0.001
        )


def _expiries_are_empty(one: Dataplane) -> bool:
    held = [one.expiry, *(part for part in vars(one._pipeline).values() if isinstance(part, Expiry))]
    return all(not (expiry._order or expiry._own or expiry._late) for expiry in held)
