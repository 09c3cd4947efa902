"""Spreads the parts of a run over processes."""

import asyncio
import atexit
import logging
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from ctypes import c_longlong
from pathlib import Path
from typing import Any

import uvloop

from turnout_runtime.errors import BatchFailed, StartError
from turnout_runtime.loading import LoadedWorkflow
from turnout_runtime.offline.job import Work
from turnout_runtime.offline.parts import Part
from turnout_runtime.offline.worker import Worker, die_with_parent, load
from turnout_runtime.telemetry import logs
from turnout_runtime.workflow import Workflow

_POLL = 0.2  # seconds between looks at the progress
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
Tell = Callable[[int], object]


def processors(quota: Path = _QUOTA) -> int:
    """CPUs that this process may use: those it may run on, within its container's quota."""
    count = len(os.sched_getaffinity(0))
    try:
        limit, period = quota.read_text().split()
        return count if limit == "max" else max(1, min(count, math.ceil(int(limit) / int(period))))
    except (OSError, ValueError):
        return count


def answer_all(
    work: Work, parts: Sequence[Part], count: int, runner: asyncio.Runner, workflow: Workflow, tell: Tell
) -> None:
    """Answer the parts, in this process or in `count` of them; raises `BatchFailed` or what a worker raises."""
    if min(count, len(parts)) > 1:
        _in_processes(work, parts, min(count, len(parts)), tell)
        return
    worker = Worker(work, runner, workflow)
    try:
        for part in parts:
            worker.answer(part, tell)
    finally:
        worker.close()


def _in_processes(work: Work, parts: Sequence[Part], count: int, tell: Tell) -> None:
    context = multiprocessing.get_context("spawn")  # a fork would copy DuckDB's and onnxruntime's threads half
    done = context.Value(c_longlong, 0)
    arguments = (work, done, logging.getLogger().handlers != [])
    with ProcessPoolExecutor(count, context, _begin, arguments) as pool:
        try:
            _watch([pool.submit(_answer, part) for part in parts], done, tell)
        except BrokenProcessPool as error:
            raise BatchFailed(
                "a process was killed, perhaps for its memory: use fewer processes or a smaller rowsPerPart, then go"
                " on with --resume"
            ) from error
        except BaseException:
            _kill(pool)
            raise


def _watch(answers: Sequence[Future[None]], done: Any, tell: Tell) -> None:
    told, open_ = 0, set(answers)
    while open_:
        finished, open_ = wait(open_, timeout=_POLL, return_when=FIRST_EXCEPTION)
        for future in finished:
            future.result()
        tell(done.value - told)
        told = done.value


def _kill(pool: ProcessPoolExecutor) -> None:
    """Nothing of what still runs is wanted: parts are whole or not there."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()


_worker: Worker | None = None
_failed: StartError | None = None
_done: Any = None


def _begin(work: Work, done: Any, json_logs: bool) -> None:
    """In each process, once. What fails here is told by its first part: raised here, it would only break the pool."""
    global _failed
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends us
    if json_logs:
        logs.configure()
    try:
        _load(work, done)
    except StartError as error:
        _failed = error
    except Exception as error:
        _failed = BatchFailed(f"a process cannot begin: {type(error).__name__}: {error}")


def _load(work: Work, done: Any) -> None:
    global _worker, _done
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    loaded = load(runner, work.job)
    _worker, _done = Worker(work, runner, loaded.workflow), done
    atexit.register(_end, runner, loaded)


def _end(runner: asyncio.Runner, loaded: LoadedWorkflow) -> None:
    """At the process's end: let go of what Triton would keep, and DuckDB would call leaked."""
    global _worker
    if _worker is not None:
        _worker.close()
        _worker = None
    runner.run(loaded.close())
    runner.close()


def _answer(part: Part) -> None:
    if _failed is not None:
        raise _failed
    assert _worker is not None
    _worker.answer(part, _tell)


def _tell(rows: int) -> None:
    with _done.get_lock():
        _done.value += rows
