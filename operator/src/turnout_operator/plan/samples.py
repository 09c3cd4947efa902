"""Samples out of what a pod's /metrics says (Prometheus' text format)."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

MAX_SAMPLES = 1_000


class Sample(NamedTuple):
    """One line: name, labels and value."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str, names: Collection[str]) -> tuple[Sample, ...]:
    """The samples of the names that are asked for, at most `MAX_SAMPLES`; raises ValueError for what is no metric.

    All other lines are left out before they are parsed, which costs ten times as much.
    """
    wanted = [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in names]
    return tuple(_samples(wanted[:MAX_SAMPLES]))


def _samples(lines: list[str]) -> Iterator[Sample]:
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            yield Sample(sample.name, sample.labels, sample.value)


def by_label(samples: Collection[Sample], name: str, label: str) -> dict[str, float]:
    """The values of one metric by one of its labels, summed up."""
    found: dict[str, float] = {}
    for sample in samples:
        if sample.name == name:
            key = sample.labels.get(label, "")
            found[key] = found.get(key, 0.0) + sample.value
    return found
