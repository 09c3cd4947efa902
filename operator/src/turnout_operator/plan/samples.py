"""Samples out of what a pod's /metrics says (Prometheus' text format)."""

from collections.abc import Collection, Mapping
from functools import lru_cache
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

    Lines have no timestamp, as prometheus_client writes them.
    """
    wanted = [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in names]
    return tuple(_sample(line) for line in wanted[:MAX_SAMPLES])


def _sample(line: str) -> Sample:
    series, _, value = line.rpartition(" ")
    return Sample(*_series(series), float(value))


@lru_cache(maxsize=4096)
def _series(text: str) -> tuple[str, Mapping[str, str]]:
    """Name and labels. All pods have much the same, and to parse them costs more than to ask."""
    found = [sample for family in text_string_to_metric_families(f"{text} 0\n") for sample in family.samples]
    if len(found) != 1:
        raise ValueError(f"no metric: {text[:200]}")
    return found[0].name, found[0].labels


def by_label(samples: Collection[Sample], name: str, label: str) -> dict[str, float]:
    """The values of one metric by one of its labels, summed up."""
    found: dict[str, float] = {}
    for sample in samples:
        if sample.name == name:
            key = sample.labels.get(label, "")
            found[key] = found.get(key, 0.0) + sample.value
    return found
