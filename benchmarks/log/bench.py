"""What every section works with."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks.harness.places import Cores
from benchmarks.log import logged

WARMING_SECONDS = 2


@dataclass(frozen=True)
class Bench:
    """How much is measured.

    `rounds` in which sides take turns, each for `seconds`; `rows` that are logged; `labels` that are joined; `kills`;
    `minutes` for which the sink stalls.
    """

    cores: Cores
    rounds: int
    seconds: int
    rows: int
    labels: int
    kills: int
    minutes: float
    connections: int = field(default=64)

    @cached_property
    def pods(self) -> dict[str, Path]:
        """The log directories of both arms of the flight example, with `rows` rows; made when first wanted."""
        return logged.pods(self.cores, self.rows)
