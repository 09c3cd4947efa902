"""One of several sides that take turns in a comparison."""

from dataclasses import dataclass, field

from benchmarks.harness.wrk import Burst


@dataclass
class Side:
    """A burst, and a p99 and p50 under a fixed load (milliseconds), for each round."""

    bursts: list[Burst] = field(default_factory=list)
    p99: list[float | None] = field(default_factory=list)
    p50: list[float | None] = field(default_factory=list)

    @property
    def rates(self) -> list[float | None]:
        return [burst.rate for burst in self.bursts]

    @property
    def cpu(self) -> list[float | None]:
        return [burst.cpu for burst in self.bursts]
