"""What a process counts, from its /metrics."""

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Metrics:
    """Samples: their name, their labels, their value."""

    samples: tuple[tuple[str, dict[str, str], float], ...]

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name that have these labels; 0 of none."""
        return sum(
            value
            for found, has, value in self.samples
            if found == name and all(has.get(k) == v for k, v in labels.items())
        )

    def by(self, name: str, label: str) -> dict[str, float]:
        """The samples of that name by the value of one of their labels."""
        return {has.get(label, ""): value for found, has, value in self.samples if found == name}


def parse(text: str) -> Metrics:
    """Prometheus' text format."""
    families = text_string_to_metric_families(text)
    return Metrics(
        tuple((sample.name, sample.labels, sample.value) for family in families for sample in family.samples)
    )
