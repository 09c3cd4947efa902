"""What every section works with."""

from dataclasses import dataclass, field

from benchmarks.harness.places import Cores

WARMING_SECONDS = 2


@dataclass(frozen=True)
class Bench:
    """How much is measured.

    `rounds` in which sides take turns, each for `seconds`; `rows` that are converted; `labels` that are joined;
    `kills`; `minutes` for which the sink stalls.
    """

    cores: Cores
    rounds: int
    seconds: int
    rows: int
    labels: int
    kills: int
    minutes: float
    connections: int = field(default=64)
