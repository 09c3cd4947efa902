"""Plays logged requests through a bundle, by the dataplane that serves."""

import asyncio
import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson
import uvloop

from turnout_runtime.bundle.local import open_bundle
from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.bundle.source import Bundle
from turnout_runtime.config import unlimited
from turnout_runtime.evaluation.records import Record
from turnout_runtime.evaluation.replay.facts import ReplayedFacts, RequestFacts
from turnout_runtime.evaluation.replay.requests import asked, not_replayable
from turnout_runtime.loading import load_workflow
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.predict.build import dataplane
from turnout_runtime.workflow import Workflow

_predicting = logging.getLogger("turnout.predict")  # its warnings of requests that fail: those are counted here
_WINDOW = 256  # requests that share model runs, as those of a busy pod do


@dataclass(frozen=True, slots=True)
class Pair:
    """A record, and the record that the bundle would have left; `unknown` are facts that it asked for in vain, because
    the log does not have them."""

    logged: Record
    replayed: Record
    unknown: frozenset[str]


class Player:
    """A bundle that is ready to be asked; `skipped` counts by reason the records that cannot be."""

    def __init__(self, runner: asyncio.Runner, bundle: Bundle, workflow: Workflow) -> None:
        self.revision = f"{bundle.manifest.name}-{bundle.manifest.version}"
        self.skipped = Counter[str]()
        self._encode = Encoder(Identity("", "", self.revision, bundle.digest))
        self._runner, self._names, self._facts = runner, workflow.feature_names, ReplayedFacts()
        self._plane = dataplane(workflow, self._facts, unlimited(_WINDOW), self.revision)

    def play(self, records: Iterable[Record], limit: int | None = None) -> Iterator[Pair]:
        """Each record that can be replayed, up to `limit` of them, in their order."""
        able = islice(self._able(records), limit)
        while window := list(islice(able, _WINDOW)):
            yield from self._runner.run(self._together(window))

    def one_by_one(self, records: Iterable[Record]) -> list[float]:
        """Milliseconds that each request takes by itself; all of them must be replayable."""
        return [self._runner.run(self._pair(record)).replayed["stages_ms"]["total"] for record in records]

    def close(self) -> None:
        """Give up the threads of slow stages."""
        self._plane.close()

    def _able(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            reason = not_replayable(record)
            if reason is None:
                yield record
            else:
                self.skipped[reason] += 1

    async def _together(self, window: list[Record]) -> list[Pair]:
        return await asyncio.gather(*map(self._pair, window))

    async def _pair(self, record: Record) -> Pair:
        request, facts = asked(record, self._names), RequestFacts(record.get("facts") or {})
        self._facts.current.set(facts)  # in this task alone
        prediction = await self._plane.predict(request.route, request.document, time_ns=request.time_ns)
        replayed = orjson.loads(self._encode(prediction))
        replayed["error"] = None if prediction.error is None else str(prediction.error)
        return Pair(record, replayed, frozenset(facts.unknown))


@contextmanager
def player(bundle: str | Path, digest: str | None = None, progress: Progress = quiet) -> Iterator[Player]:
    """A bundle (folder, archive, or URL with its digest), loaded as a pod loads it; raises a `StartError`."""
    with ExitStack() as stack:
        stack.callback(_predicting.setLevel, _predicting.level)
        _predicting.setLevel(logging.ERROR)
        cache = stack.enter_context(tempfile.TemporaryDirectory(prefix="turnout-bundle-"))
        opened = open_bundle(bundle, Path(cache), digest, progress)
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        loaded = runner.run(load_workflow(opened, unlimited(_WINDOW), progress=progress))
        stack.callback(lambda: runner.run(loaded.close()))
        playing = Player(runner, opened, loaded.workflow)
        stack.callback(playing.close)
        yield playing
