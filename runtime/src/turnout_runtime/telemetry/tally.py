"""Turns plain numbers into Prometheus' metric families when they are scraped."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias, TypeVar

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

from turnout_runtime.telemetry.histogram import Histogram

T = TypeVar("T")
Labelled: TypeAlias = Iterable[tuple[tuple[str, ...], T]]
"""Values by their labels' values."""


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
