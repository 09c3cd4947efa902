"""The feedback record: one JSON line that says what came of a prediction. Pure."""

from collections.abc import Mapping
from typing import Any

from turnout_runtime.feedback.parse import Outcome

SCHEMA_VERSION = 1


def record(
    outcome: Outcome,
    feedback_id: str,
    received: str,
    *,
    namespace: str,
    objective: str,
    revision: str,
    caller: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The row as JSON holds it. `received` is RFC 3339; `revision` is whose pod took it, not whose answer it is about.

    `docs/prediction-log.md` lists the fields, `analysis/schema.py` their types.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "feedback_id": feedback_id,
        "received": received,
        "namespace": namespace,
        "objective": objective,
        "prediction_id": outcome.prediction_id,
        "entity_id": outcome.entity_id,
        "label": outcome.label,
        "reward": outcome.reward,
        "time": outcome.time,
        "source": outcome.source,
        "revision": revision,
        "caller": caller,
    }
