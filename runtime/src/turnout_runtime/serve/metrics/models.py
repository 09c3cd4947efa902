"""Models: their runs, and what they take to load and to hold."""

from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from turnout_runtime.models import Model
from turnout_runtime.telemetry.tally import counter, histogram

_LABELS = ("model",)


def model_metrics(models: Mapping[str, Model]) -> Iterator[Metric]:
    """Render the families."""
    if not models:
        return
    stats = {name: model.stats for name, model in models.items()}
    runs = [((name,), s.seconds) for name, s in stats.items()]
    yield histogram("turnout_model_run_duration_seconds", "Model runs, each a whole batch", _LABELS, runs)
    rows = [((name,), s.rows) for name, s in stats.items()]
    yield counter("turnout_model_rows", "Rows computed; divided by the runs, the mean batch", _LABELS, rows)
    failed = [((name,), s.failed) for name, s in stats.items()]
    yield counter("turnout_model_failures", "Rows that the model failed on", _LABELS, failed)
    late = [((name,), s.late) for name, s in stats.items()]
    yield counter("turnout_model_timeouts", "Rows without an answer in their time", _LABELS, late)
    yield from _gauges(models)


def _gauges(models: Mapping[str, Model]) -> Iterator[Metric]:
    load = GaugeMetricFamily("turnout_model_load_seconds", "Time to load the model and to warm it", labels=_LABELS)
    waiting = GaugeMetricFamily("turnout_model_rows_waiting", "Rows that wait for their run now", labels=_LABELS)
    memory = GaugeMetricFamily(
        "turnout_model_memory_bytes",
        "resident: loading it; activation: a run of one row beyond that; batch: of a full batch",
        labels=("model", "kind"),
    )
    for name, model in models.items():
        load.add_metric((name,), model.load_seconds + model.warm_seconds)
        waiting.add_metric((name,), model.waiting)
        for kind in ("resident", "activation", "batch"):
            memory.add_metric((name, kind), getattr(model.memory, kind))
    yield from (load, waiting, memory)
