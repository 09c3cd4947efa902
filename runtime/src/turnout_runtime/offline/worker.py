"""Answers parts of a run, through the dataplane that serves requests."""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from multiprocessing import connection, parent_process
from os import _exit
from pathlib import Path
from typing import Any

from turnout_runtime.bundle.code import explain
from turnout_runtime.config import unlimited
from turnout_runtime.errors import InvalidRequest
from turnout_runtime.loading import LoadedWorkflow, load_workflow
from turnout_runtime.offline import facts
from turnout_runtime.offline.database import database
from turnout_runtime.offline.job import WINDOW, Job, Work
from turnout_runtime.offline.parts import Part, Parts
from turnout_runtime.offline.rows import Asked
from turnout_runtime.offline.tables import read
from turnout_runtime.predict.build import dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.telemetry.throttle import Throttle
from turnout_runtime.workflow import Workflow

_log = logging.getLogger("turnout.batch")
_Row = tuple[int, tuple[Any, ...]]


def load(runner: asyncio.Runner, job: Job) -> LoadedWorkflow:
    """The job's workflow, set up on the runner's loop, to be closed there; raises a `StartError`."""
    limits = unlimited(WINDOW, job.batching)
    return runner.run(load_workflow(job.bundle, limits, model_server=job.model_server))


class Worker:
    """One process's share of the work; close it when it is done."""

    def __init__(self, work: Work, runner: asyncio.Runner, workflow: Workflow) -> None:
        self._work, self._runner = work, runner
        self._rules = facts.rules(work.job, work.snapshots)
        limits, complain = unlimited(WINDOW, work.job.batching), _Complaints(work.job.bundle.folder)
        self._dataplane = dataplane(workflow, self._rules, limits, work.job.revision, complain)
        self._route = Route(work.job.bundle.manifest.name)
        self._parts = Parts(work.output)
        self._resources = ExitStack()
        self._database = self._resources.enter_context(database(work.scratch, threads=1))
        gc.set_threshold(10_000, 20, 20)  # a row's garbage is mostly freed by counting

    def close(self) -> None:
        """Let go of the tables, and of the threads of slow stages."""
        self._resources.close()
        self._dataplane.close()

    def answer(self, part: Part, tell: Callable[[int], object]) -> None:
        """Answer a part's rows and keep the answers; `tell` hears how many more are done. Raises `BatchInvalid`."""
        lines: list[bytes] = []
        rows = self._rows(part)
        while window := list(islice(rows, WINDOW)):
            lines += self._runner.run(self._window(window))
            self._rules.check()
            tell(len(window))
        self._parts.put(part, b"".join(lines))

    def _rows(self, part: Part) -> Iterator[_Row]:
        number = part.start
        for block in read(self._database, self._work.table, self._work.reader.sql, part.start, part.stop):
            for row in block:
                yield number, row
                number += 1

    async def _window(self, window: list[_Row]) -> list[bytes]:
        return await asyncio.gather(*(self._line(number, row) for number, row in window))

    async def _line(self, number: int, row: tuple[Any, ...]) -> bytes:
        work = self._work
        try:
            asked = work.reader.request(number, row, work.started_ns)
        except InvalidRequest as error:
            return work.answers.refused(number, work.reader.names(number, row), error)
        return work.answers.line(asked, await self._predict(asked))

    async def _predict(self, asked: Asked) -> Prediction:
        return await self._dataplane.predict(self._route, asked.document, time_ns=asked.time_ns)


class _Complaints:
    """The sink: tells what failed inside workflows, once a second for each type of error; the rows hold the rest."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self._throttle = Throttle()

    def __call__(self, prediction: Prediction) -> None:
        error = prediction.error
        if error is not None and prediction.status == "error" and self._throttle.allows(type(error).__name__):
            _log.warning("row failed: %s", explain(error, self._root))


def die_with_parent() -> None:
    """End this process when the one that started it is gone, however it ended."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (connection.wait([parent.sentinel]), _exit(1)), daemon=True).start()
