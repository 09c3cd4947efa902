"""The batch mode of a pod: one shard of an Indexed Job, from configuration to exit."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from turnout_runtime.bundle.source import obtain
from turnout_runtime.config import RuntimeConfig
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.loading.workflow import check_card
from turnout_runtime.offline.job import Job
from turnout_runtime.offline.run import run

_log = logging.getLogger("turnout.batch")
_INDEX = "JOB_COMPLETION_INDEX"
_REPORT = 10.0  # seconds between lines about the progress


def run_shard(config: RuntimeConfig, cache: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Answer the rows of this pod's shard, taking up what an earlier pod of it left. Raises a `StartError`.

    SIGTERM ends the process at once: finished parts are kept, and the next pod goes on there.
    """
    assert config.batch is not None
    signal.signal(signal.SIGTERM, _stop)
    source = config.bundle
    bundle = obtain(source.uri, source.digest, source.path, cache)
    check_card(bundle.manifest.card, config.requires)
    job = Job(
        bundle,
        config.revision,
        config.batch,
        config.facts,
        batching=config.serving.batching,
        model_server=config.model_server,
        shard=shard_of(config.batch.shards, environment),
    )
    summary = run(job, resume="if the same", progress=_reports)
    fields = {"rows": summary.answered, "seconds": round(summary.seconds, 1), "statuses": summary.outcome.statuses}
    _log.info("batch done", extra={"shard": job.shard, **fields})


def shard_of(shards: int, environment: Mapping[str, str]) -> int:
    """This pod's index in its Indexed Job; raises `ConfigInvalid` when that is none of the shards."""
    text = environment.get(_INDEX)
    if text is None and shards == 1:
        return 0
    if text is None or not text.isdigit() or int(text) >= shards:
        raise ConfigInvalid(
            f"batch.shards is {shards}, and {_INDEX} {text!r}: run it in an Indexed Job of {shards} completions"
        )
    return int(text)


def _stop(*_: object) -> None:
    os._exit(143)  # as by an unhandled SIGTERM, which the first process of a container would not notice


@contextmanager
def _reports(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """Progress as log lines."""
    done, reported = 0, time.monotonic()

    def tell(amount: int) -> None:
        nonlocal done, reported
        done += amount
        if time.monotonic() - reported >= _REPORT:
            reported = time.monotonic()
            _log.info("batch progress", extra={"done": done, "of": total, "unit": unit.strip()})

    _log.info("batch started", extra={"of": total, "unit": unit.strip()})
    yield tell
