"""How far the last hour is from the bundle's reference, for Prometheus. docs/metrics.md lists the families."""

import math
from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from turnout_runtime.sketches.compare import distance, missing_rate
from turnout_runtime.sketches.document import Sketches, rows

_LABELS = ("column",)


def drift_metrics(sketches: Sketches, reference: Sketches) -> Iterator[Metric]:
    """Render the families; a column without values, or that the reference lacks, has no distance."""
    psi = GaugeMetricFamily("turnout_drift_psi", "PSI against the bundle's reference", labels=_LABELS)
    chance = GaugeMetricFamily(
        "turnout_drift_psi_by_chance", "What PSI stays below in 95 of 100 windows when nothing moved", labels=_LABELS
    )
    ks = GaugeMetricFamily("turnout_drift_ks", "KS against the bundle's reference, at least", labels=_LABELS)
    missing = GaugeMetricFamily("turnout_drift_missing_ratio", "Share of rows without a value", labels=_LABELS)
    for name, sketch in sketches.items():
        if not math.isnan(rate := missing_rate(sketch)):
            missing.add_metric((name,), rate)
        found = distance(reference[name], sketch) if name in reference else None
        if found is None or math.isnan(found.psi):
            continue
        psi.add_metric((name,), found.psi)
        chance.add_metric((name,), found.by_chance)
        if found.ks is not None:
            ks.add_metric((name,), found.ks[0])
    yield from (psi, chance, ks, missing)
    yield GaugeMetricFamily("turnout_drift_rows", "Rows in the sketches of the last hour", rows(sketches.values()))
