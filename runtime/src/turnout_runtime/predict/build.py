"""Wires a dataplane from what a deployment declares: the only place that knows how."""

from collections.abc import Mapping

from turnout_runtime.config import Serving
from turnout_runtime.facts import FactRule
from turnout_runtime.predict.admission import Admission
from turnout_runtime.predict.cache import AnswersByKey
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.expiry import Expiry
from turnout_runtime.predict.ids import Ids
from turnout_runtime.predict.prediction import Sink
from turnout_runtime.predict.replays import Replays
from turnout_runtime.workflow import Workflow


def dataplane(
    workflow: Workflow, rules: Mapping[str, FactRule], serving: Serving, revision: str, sink: Sink | None = None
) -> Dataplane:
    """A dataplane within all declared limits; raises `ConfigInvalid` naming the field that cannot be meant."""
    return Dataplane(
        workflow=workflow,
        facts=rules,
        admission=Admission(serving.concurrency, serving.max_queue_depth, serving.max_queue_wait_seconds),
        expiry=Expiry(serving.timeout_seconds),
        ids=Ids(revision),
        sink=sink,
        budget=serving.budget,
        cache=AnswersByKey(serving.cache) if serving.cache else None,
        idempotency=Replays(serving.idempotency) if serving.idempotency else None,
    )
