"""A whole offline run: tables in, answers out, in parts that survive a kill."""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.errors import BatchFailed
from turnout_runtime.offline import facts, snapshots
from turnout_runtime.offline.answers import Answers
from turnout_runtime.offline.assemble import Outcome, assemble
from turnout_runtime.offline.job import Job, Work
from turnout_runtime.offline.parts import Part, Parts, Resume, check_apart, output_of, parts_of
from turnout_runtime.offline.processes import answer_all, processors
from turnout_runtime.offline.rows import reader
from turnout_runtime.offline.tables import open_table
from turnout_runtime.offline.worker import load
from turnout_runtime.scratch import scratch
from turnout_runtime.workflow import Workflow

_log = logging.getLogger("turnout.batch")


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended: rows that were answered in this run, all rows by status, the most frequent error, seconds."""

    answered: int
    outcome: Outcome
    seconds: float


def run(job: Job, *, resume: Resume = "no", progress: Progress = quiet) -> Summary:
    """Answer all rows of the job's shard. Rows with errors are no reason to stop; they say so in the output.

    Copies of tables, and indexes, lie in the folder of temporary files meanwhile. Raises a `StartError`:
    `BatchInvalid` for what does not fit, `BatchFailed` when it broke off (finished parts are kept for `resume`) or
    when every row ended in an error.
    """
    started = time.perf_counter()
    with _told(job), scratch() as folder:
        with _workflow(job) as (runner, workflow):
            work, parts = _prepare(job, workflow, folder, resume, progress)
            kept = Parts(work.output)
            todo = _missing(parts, kept)
            rows = sum(part.stop - part.start for part in todo)
            with progress("rows", rows, " rows") as tell:
                answer_all(work, todo, job.batch.processes or processors(), runner, workflow, tell)
        outcome = assemble(work, parts, kept)
        kept.clear()
    summary = Summary(rows, outcome, time.perf_counter() - started)
    if outcome.rows and not outcome.statuses.get("ok"):
        raise BatchFailed(f"no row was answered; {outcome.told()}; {job.batch.output} has each row's error")
    return summary


@contextmanager
def _told(job: Job) -> Iterator[None]:
    """Where a disk is full, or may not be written to: say which file, and that nothing is lost."""
    try:
        yield
    except OSError as error:
        why = f"{error.filename or job.batch.output}: {error.strerror or error}"
        raise BatchFailed(f"{why}; what is finished is kept: mend it, then go on with --resume") from error


@contextmanager
def _workflow(job: Job) -> Iterator[tuple[asyncio.Runner, Workflow]]:
    """The workflow and the loop that it runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loaded = load(runner, job)
        try:
            yield runner, loaded.workflow
        finally:
            runner.run(loaded.close())


def _prepare(
    job: Job, workflow: Workflow, scratch: Path, resume: Resume, progress: Progress
) -> tuple[Work, list[Part]]:
    """Everything but the answers."""
    batch, output = job.batch, output_of(job.batch, job.shard)
    check_apart(batch, output)
    facts.check_sources(job)
    table = open_table(batch.input, batch.format, scratch / "input", "batch.input")
    read = reader(batch, table.columns, list(job.caller_facts.values()))
    read.check(workflow)
    built = {name: snapshots.build(name, at, scratch / f"fact-{name}", progress) for name, at in batch.facts.items()}
    fingerprint = _fingerprint(job, table.stamp, built)
    started_ns = Parts(output).begin(fingerprint, time.time_ns(), resume)
    run_id = hashlib.sha256(json.dumps([fingerprint["bundle"], fingerprint["input"]]).encode()).hexdigest()
    answers = Answers(job.revision, run_id, tuple(workflow.feature_names), job.features)
    parts = parts_of(table.rows, batch.rows_per_part, job.shard, batch.shards)
    return Work(job, table, read, answers, built, output, started_ns, scratch), parts


def _fingerprint(job: Job, stamp: str, built: Mapping[str, snapshots.Snapshot]) -> dict[str, str]:
    """What must be the same for parts of two runs to belong together, by names that a user knows."""
    batch = job.batch
    return {
        "bundle": job.bundle.digest,
        "revision": job.revision,
        "input": f"{batch.input} {stamp}",
        "columns": f"{batch.time_column} {batch.entity_id_column} {batch.request_id_column}",
        "rowsPerPart": str(batch.rows_per_part),
        "shards": f"{job.shard} of {batch.shards}",
        "features": str(job.features),
        "fallbacks": json.dumps({name: fact.fallback for name, fact in sorted(job.facts.items())}),
        **{f"facts.{name}": snapshot.stamp for name, snapshot in built.items()},
    }


def _missing(parts: list[Part], kept: Parts) -> list[Part]:
    done = kept.done()
    return [part for part in parts if part.number not in done]
