"""`python -m benchmarks.runtime [SECTION…]`: the runtime against its peers, under overload, and with failing facts."""

import argparse
import gc
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from types import FrameType, ModuleType
from typing import Any

from benchmarks.report import Row, finish
from benchmarks.runtime.bench import Bench
from benchmarks.runtime.places import LOGS, Cores
from benchmarks.runtime.processes import end_leftovers
from benchmarks.runtime.sections import batching, faults, overload, startup, throughput
from tests.cluster.prerequisites import ensure

SECTIONS: Mapping[str, ModuleType] = {
    "throughput": throughput,
    "overload": overload,
    "faults": faults,
    "batching": batching,
    "startup": startup,
}
PROGRAMS = {"wrk": "wrk", "redis-server": "redis-server"}
LIMIT_SECONDS = 1400
"""For all that is asked for; what is running then is ended, and what is missing counts as missed."""


def arguments() -> argparse.Namespace:
    """The command line; the defaults are what the targets are judged by."""
    parser = argparse.ArgumentParser("benchmarks.runtime", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--rounds", type=int, default=7, help="in which the servers take turns (%(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="for each server in each round (%(default)s)")
    parser.add_argument("--limit", type=int, default=LIMIT_SECONDS, help="seconds for the run (%(default)s)")
    parsed = parser.parse_args()
    if unknown := [name for name in parsed.sections if name not in SECTIONS]:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    return parsed


def main() -> int:
    """Measure, then print what was reached, also when not all of it was."""
    options = arguments()
    ensure(PROGRAMS)
    end_leftovers()
    shutil.rmtree(LOGS, ignore_errors=True)
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.load})
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.alarm(options.limit)
    names = options.sections or list(SECTIONS)
    results = {name: SECTIONS[name].Result() for name in names}
    bench, started = Bench(cores, options.rounds, options.seconds), time.monotonic()
    errors = _measure(bench, results)
    rows: list[Row] = [row for name, result in results.items() for row in SECTIONS[name].rows(result)]
    details = {"options": vars(options), "seconds": round(time.monotonic() - started, 1), "errors": errors}
    name = "runtime" if not options.sections else f"runtime-{'-'.join(options.sections)}"
    return finish(name, rows, {**details, "results": {name: asdict(result) for name, result in results.items()}})


def _measure(bench: Bench, results: Mapping[str, Any]) -> dict[str, str]:
    """All sections; one that fails does not keep the next from being measured, a signal does."""
    errors = {}
    for name, result in results.items():
        gc.collect()
        try:
            SECTIONS[name].measure(bench, result)
        except Exception as error:
            traceback.print_exc()
            print(f"{name}: what is missing below was not measured; logs are in {LOGS}")
            errors[name] = f"{type(error).__name__}: {error}"
        except _Stopped as error:
            errors[name] = str(error)
            print(f"stopped early in {name}: {error}")
            break
    signal.alarm(0)
    return errors


class _Stopped(BaseException):
    """The run has to end now; no `except Exception` may hold it up."""


def _stop(number: int, _: FrameType | None) -> None:
    signal.alarm(0)
    raise _Stopped("the time is up" if number == signal.SIGALRM else signal.Signals(number).name)


if __name__ == "__main__":
    sys.exit(main())
