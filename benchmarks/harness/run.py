"""A run of sections: whatever happens, all that was started ends, and what was reached is told."""

import argparse
import gc
import os
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import FrameType, ModuleType
from typing import Any

from benchmarks.harness.places import Cores, begin, logs
from benchmarks.harness.processes import end_leftovers
from benchmarks.report import Row, finish

Sections = Mapping[str, ModuleType]
"""By name; each has a dataclass `Result`, `measure(bench, result)`, which fills it in, and `rows(result)`."""


def parser(benchmark: str, description: str | None, sections: Sections, limit: int) -> argparse.ArgumentParser:
    """The command line that all have; `limit` in seconds, for all that is asked for."""
    made = argparse.ArgumentParser(f"benchmarks.{benchmark}", description=description)
    made.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(sections)}; all by default")
    made.add_argument("--limit", type=int, default=limit, help="seconds for the run (%(default)s)")
    return made


def parsed(made: argparse.ArgumentParser, sections: Sections) -> argparse.Namespace:
    """What the user asks for, with the sections checked."""
    options = made.parse_args()
    if unknown := [name for name in options.sections if name not in sections]:
        made.error(f"no section {unknown[0]!r}; there are {', '.join(sections)}")
    return options


def run(
    benchmark: str, sections: Sections, options: argparse.Namespace, bench: Callable[[Cores], Any], *, keep: bool = True
) -> int:
    """Measure, then print what was reached, also when not all of it was; the exit code.

    Without `keep` all folders that the run has made below `logs()` are removed.
    """
    begin(benchmark)
    end_leftovers()
    shutil.rmtree(logs(), ignore_errors=True)
    logs().mkdir(parents=True)
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.load})
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.alarm(options.limit)
    results = {name: sections[name].Result() for name in options.sections or sections}
    started = time.monotonic()
    try:
        errors = _measure(sections, bench(cores), results)
    finally:
        if not keep:
            _tidy()
    rows: list[Row] = [row for name, result in results.items() for row in sections[name].rows(result)]
    details = {"options": vars(options), "seconds": round(time.monotonic() - started, 1), "errors": errors}
    name = "-".join([benchmark, *options.sections])
    return finish(name, rows, {**details, "results": {name: asdict(result) for name, result in results.items()}})


def _measure(sections: Sections, bench: Any, results: Mapping[str, Any]) -> dict[str, str]:
    """All sections; one that fails does not keep the next from being measured, a signal does."""
    errors = {}
    for name, result in results.items():
        gc.collect()
        try:
            sections[name].measure(bench, result)
        except Exception as error:
            traceback.print_exc()
            print(f"{name}: what is missing below was not measured; logs are in {logs()}")
            errors[name] = f"{type(error).__name__}: {error}"
        except _Stopped as error:
            errors[name] = str(error)
            print(f"stopped early in {name}: {error}")
            break
    signal.alarm(0)
    return errors


def _tidy() -> None:
    for path in logs().iterdir():
        if path.is_dir():
            shutil.rmtree(path)


class _Stopped(BaseException):
    """The run has to end now; no `except Exception` may hold it up."""


def _stop(number: int, _: FrameType | None) -> None:
    signal.alarm(0)
    raise _Stopped("the time is up" if number == signal.SIGALRM else signal.Signals(number).name)
