"""`python -m benchmarks.log [SECTION…]`: what the prediction log costs, what it bears, and what reading it takes."""

import sys
from collections.abc import Mapping
from types import ModuleType

from benchmarks.harness import run
from benchmarks.log.bench import Bench
from benchmarks.log.sections import convert, cost, full, join, kills, rivals, stall
from tests.cluster.prerequisites import ensure

SECTIONS: Mapping[str, ModuleType] = {
    "cost": cost,
    "convert": convert,
    "kills": kills,
    "stall": stall,
    "full": full,
    "join": join,
    "rivals": rivals,
}
PROGRAMS = {"wrk": "wrk", "redis-server": "redis-server"}
LIMIT_SECONDS = 1800
"""For all that is asked for; what is running then is ended, and what is missing counts as missed."""


def main() -> int:
    """The defaults are what the targets are judged by."""
    parser = run.parser("log", __doc__, SECTIONS, LIMIT_SECONDS)
    parser.add_argument("--rounds", type=int, default=9, help="in which sides take turns (%(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="for each side in each round (%(default)s)")
    parser.add_argument("--rows", type=int, default=100_000, help="that are logged, and converted (%(default)s)")
    parser.add_argument("--labels", type=int, default=1_000_000, help="that are joined with as many (%(default)s)")
    parser.add_argument("--kills", type=int, default=100, help="of the runtime, the shipper, or both (%(default)s)")
    parser.add_argument("--minutes", type=float, default=10.0, help="for which the sink stalls (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="what was written below build/bench-log, for a look at it")
    options = run.parsed(parser, SECTIONS)
    ensure(PROGRAMS)
    asked = (options.rounds, options.seconds, options.rows, options.labels, options.kills, options.minutes)
    return run.run("log", SECTIONS, options, lambda cores: Bench(cores, *asked), keep=options.keep)


if __name__ == "__main__":
    sys.exit(main())
