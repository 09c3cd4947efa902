"""`python -m benchmarks.runtime [SECTION…]`: the runtime against its peers, under overload, and with failing facts."""

import sys
from collections.abc import Mapping
from types import ModuleType

from benchmarks.harness import run
from benchmarks.runtime.bench import Bench
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


def main() -> int:
    """The defaults are what the targets are judged by."""
    parser = run.parser("runtime", __doc__, SECTIONS, LIMIT_SECONDS)
    parser.add_argument("--rounds", type=int, default=7, help="in which the servers take turns (%(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="for each server in each round (%(default)s)")
    options = run.parsed(parser, SECTIONS)
    ensure(PROGRAMS)
    return run.run("runtime", SECTIONS, options, lambda cores: Bench(cores, options.rounds, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
