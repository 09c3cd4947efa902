"""Answers by declared fields of the question: fresh ones instead of the workflow, stale ones when it fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from turnout_runtime.config import AnswerCache
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.predict.aging import Aging
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Decision, Request

_ROOTS = ("context", "feature_refs")
_LONG = 128  # bytes; keys are made of what callers send, and thousands of them are kept
_FINE = (None, "not_found", "no_key")  # reasons of facts that were not live, though nothing failed


@dataclass(slots=True)
class CacheStats:
    """How often each thing happened; `age_sum` is in seconds, over all hits."""

    hit: int = 0
    miss: int = 0
    stale: int = 0
    age_sum: float = 0.0


class AnswersByKey:
    """Remembers decisions that rest on no fallback, under the values of `key_fields`.

    A field that a request lacks counts as null. Precomputed features are no question, so they are not looked up. Each
    objective and arm has answers of its own, and shadows theirs, since a workflow may answer them in other ways.
    """

    def __init__(self, settings: AnswerCache, memory: Aging[Decision] | None = None) -> None:
        """Raises `ConfigInvalid` for a key field that no request can have."""
        lifetime = settings.ttl_seconds + settings.stale_if_error_seconds
        self._ttl = settings.ttl_seconds
        self._memory = Aging[Decision](lifetime, settings.max_entries) if memory is None else memory
        self._paths = [_path(field) for field in settings.key_fields]
        self.stats = CacheStats()

    def key(self, route: Route, request: Request) -> bytes | None:
        """What the answer is remembered under; None for a request that has no question in it."""
        if request.features is not None:
            return None
        values = [route.objective, route.arm, route.shadow, *(_value(request, path) for path in self._paths)]
        key = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
        return key if len(key) <= _LONG else blake2b(key).digest()

    def fresh(self, key: bytes, prediction: Prediction) -> bool:
        """Answer from memory while the answer is fresh; whether it was."""
        found = self._memory.get(key)
        if found is None or found[1] > self._ttl:
            self.stats.miss += 1
            prediction.cache = "miss"
            return False
        self.stats.hit += 1
        self.stats.age_sum += found[1]
        prediction.cache = "hit"
        prediction.decision, prediction.cache_age = found
        return True

    def stale(self, key: bytes, prediction: Prediction) -> bool:
        """Answer from memory in place of a workflow that failed; whether there was anything."""
        found = self._memory.get(key)
        if found is None:
            return False
        self.stats.stale += 1
        prediction.cache = "stale"
        prediction.decision, prediction.cache_age = found
        return True

    def keep(self, key: bytes, prediction: Prediction) -> None:
        """Remember an answer of the workflow, unless it rests on a fallback or lacks a fact that could not be had."""
        whole = all(fact.reason in _FINE for fact in prediction.facts.values())
        if whole and prediction.decision is not None and prediction.fallback is None:
            self._memory.put(key, prediction.decision)


def _path(field: str) -> Sequence[str]:
    path = tuple(field.split("."))
    if field != "entity_id" and (path[0] not in _ROOTS or len(path) < 2 or not all(path)):
        raise ConfigInvalid(f"serving.cache.keyFields: {field!r} is none of entity_id, context.…, feature_refs.…")
    return path


def _value(request: Request, path: Sequence[str]) -> Any:
    value: Any = getattr(request, path[0])
    for name in path[1:]:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value
