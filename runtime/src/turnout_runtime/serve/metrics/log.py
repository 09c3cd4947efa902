"""The prediction log's writer: what it wrote, what it lost, and what waits."""

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from turnout_runtime.log.writer import LogWriter
from turnout_runtime.telemetry.tally import counter


def log_metrics(log: LogWriter) -> Iterator[Metric]:
    """Render the families."""
    counts = (
        ("turnout_log_records", "Prediction records written", log.written),
        ("turnout_log_written_bytes", "Bytes of segments written", log.written_bytes),
        ("turnout_log_sampled_out", "Predictions that the sample left out", log.sampled_out),
        ("turnout_log_rotated", "Records that made room for newer ones, and that nobody else was to get", log.rotated),
        ("turnout_log_recovered", "Records of a process that was killed, sealed at the next start", log.recovered),
        ("turnout_log_damaged_bytes", "Bytes of recovered segments that fail their checksum", log.damaged_bytes),
    )  # fmt: skip
    for name, text, count in counts:
        yield counter(name, text, (), [((), count)])
    dropped = [((reason,), count) for reason, count in log.dropped.items()]
    yield counter("turnout_log_dropped", "Prediction records lost", ("reason",), dropped)
    yield GaugeMetricFamily("turnout_log_buffer_bytes", "Bytes that wait to be written", log.buffered_bytes)
    yield GaugeMetricFamily("turnout_log_write_lag_seconds", "Age of the oldest record not yet written", log.lag)
