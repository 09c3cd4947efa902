"""Counters and histograms for the request path: plain numbers, turned into Prometheus metrics when they are scraped.

All of them are written by the event loop's thread alone, so they need no locks, which is most of what a metric
costs otherwise.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

T = TypeVar("T")
Labelled: TypeAlias = Iterable[tuple[tuple[str, ...], T]]
"""Values by their labels' values."""

SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)


class Histogram:
    """Counts of observed seconds by bucket, each including its upper bound."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> Iterator[tuple[str, float]]:
        """Upper bounds and cumulative counts, as Prometheus wants them."""
        total = 0
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self.counts, strict=True):
            total += count
            yield bound, total


def counter(name: str, text: str, labels: Sequence[str], counts: Labelled[float]) -> CounterMetricFamily:
    """A counter family (`name` without `_total`) from counts by label values."""
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts:
        family.add_metric(values, count)
    return family


def histogram(name: str, text: str, labels: Sequence[str], parts: Labelled[Histogram]) -> HistogramMetricFamily:
    """A histogram family from histograms by label values."""
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, part in parts:
        family.add_metric(values, list(part.buckets()), part.sum)
    return family
