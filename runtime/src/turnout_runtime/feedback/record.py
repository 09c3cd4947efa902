"""The feedback record: one JSON line that says what came of a prediction. Pure but for the ids."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from turnout_runtime.feedback.parse import Outcome
from turnout_runtime.predict.ids import Ids, rfc3339

SCHEMA_VERSION = 1
Caller = Mapping[str, str] | None
Hide = Callable[[dict[str, Any]], None]


class Records:
    """Writes the feedback records of one pod."""

    def __init__(self, namespace: str, revision: str, hide: Hide | None = None) -> None:
        """`hide` replaces what nobody may read, as in predictions, so that a hashed entity is the same in both."""
        self._namespace, self._revision, self._hide = namespace, revision, hide
        self._ids = Ids(revision)

    def __call__(self, outcomes: Sequence[Outcome], objective: str, caller: Caller, time_ns: int) -> list[bytes]:
        """The outcomes as JSON lines, received at `time_ns` (since 1970)."""
        received, new = rfc3339(time_ns), self._ids.new
        return [
            orjson.dumps(
                self._record(outcome, new(time_ns), received, objective, caller), option=orjson.OPT_APPEND_NEWLINE
            )
            for outcome in outcomes
        ]

    def _record(
        self, outcome: Outcome, feedback_id: str, received: str, objective: str, caller: Caller
    ) -> dict[str, Any]:
        record = {
            "schema_version": SCHEMA_VERSION,
            "feedback_id": feedback_id,
            "received": received,
            "namespace": self._namespace,
            "objective": objective,
            **outcome._asdict(),
            "revision": self._revision,
            "caller": None if caller is None else {**caller},
        }
        if self._hide is not None:
            self._hide(record)
        return record
