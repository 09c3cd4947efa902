"""Requests that are sent again under the same request_id get the first one's answer."""

import asyncio
from dataclasses import dataclass

import orjson
import xxhash

from turnout_runtime.config import Idempotency
from turnout_runtime.errors import RequestIdReused
from turnout_runtime.predict.aging import Aging
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.request import Document
from turnout_runtime.workflow import Request

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY
Key = tuple[str, bool, str]


@dataclass(frozen=True, slots=True)
class _Running:
    digest: bytes
    done: asyncio.Event


class Replays:
    """First answers by objective, shadow and request_id. `replayed` and `conflicts` count what came again.

    Only answers are kept: a request that failed may be tried again. Whoever comes while the first one runs waits for
    it, and takes its place when it fails.
    """

    def __init__(self, settings: Idempotency, memory: Aging[tuple[bytes, Prediction]] | None = None) -> None:
        if memory is None:
            memory = Aging[tuple[bytes, Prediction]](settings.window_seconds, settings.max_entries)
        self._answers = memory
        self._running: dict[Key, _Running] = {}
        self.replayed = 0
        self.conflicts = 0

    async def first(self, key: Key, digest: bytes) -> Prediction | None:
        """The first request's answer; None when this is the first, and whoever asked must `settle` it.

        Raises `RequestIdReused` when the first one had another body.
        """
        while True:
            if (found := self._answers.get(key)) is not None:
                self._same(digest, found[0][0])
                self.replayed += 1
                return found[0][1]
            running = self._running.get(key)
            if running is None:
                self._running[key] = _Running(digest, asyncio.Event())
                return None
            self._same(digest, running.digest)
            await running.done.wait()

    def _same(self, digest: bytes, first: bytes) -> None:
        if digest != first:
            self.conflicts += 1
            raise RequestIdReused("this request_id came with another body before; use a new one for a new question")

    def settle(self, key: Key, prediction: Prediction | None) -> None:
        """The first request has ended; None where it has no answer."""
        running = self._running.pop(key)
        if prediction is not None:
            self._answers.put(key, (running.digest, _lean(prediction)))
        running.done.set()


def digest_of(document: Document) -> bytes:
    """Equal for equal JSON documents, however they are written."""
    return xxhash.xxh3_128_digest(orjson.dumps(document, default=list, option=_OPTIONS))


def _lean(prediction: Prediction) -> Prediction:
    """All that an answer is made of, and nothing of what led to it: thousands of them are kept."""
    assert prediction.request is not None
    lean = Prediction(prediction.route, prediction.prediction_id, prediction.time_ns, prediction.started)
    lean.request = Request(prediction.request.request_id, prediction.request.entity_id, {}, {})
    lean.decision = prediction.decision
    lean.fallback, lean.fallback_reason = prediction.fallback, prediction.fallback_reason
    return lean
