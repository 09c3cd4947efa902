"""What the metrics read: plain numbers, written by the event loop's thread alone."""

from collections import Counter
from typing import TYPE_CHECKING

from turnout_runtime.facts.source import ORIGINS, Origin
from turnout_runtime.telemetry.histogram import Histogram

if TYPE_CHECKING:
    from turnout_runtime.facts.breaker import Breaker
    from turnout_runtime.facts.flights import Cached, Flights

AGES = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0, 604800.0)
LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class FactStats:
    """One fact's numbers since the start.

    `sources`: settled facts by origin; the miss rate is `fallback` + `missing` of all. `reasons`: why they were not
    live. `age`: seconds since the values that were used were observed, or fetched where nobody knows. `latency`:
    seconds of fetches that had to wait. `breaker`, `flights` and `cached` count for themselves, and are None
    where the fact has none.
    """

    __slots__ = ("age", "breaker", "cached", "flights", "latency", "reasons", "sources")

    def __init__(
        self, breaker: "Breaker | None" = None, flights: "Flights | None" = None, cached: "Cached | None" = None
    ) -> None:
        self.breaker, self.flights, self.cached = breaker, flights, cached
        self.sources: dict[Origin, int] = dict.fromkeys(ORIGINS, 0)
        self.reasons: Counter[str] = Counter()
        self.age = Histogram(AGES)
        self.latency = Histogram(LATENCIES)
