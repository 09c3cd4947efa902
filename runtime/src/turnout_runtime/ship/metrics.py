"""The shipper's metrics, gathered when somebody asks. docs/metrics.md lists them."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from turnout_runtime.log.segments import OPEN, SEALED, Kind, Segment
from turnout_runtime.ship.backlog import Backlog
from turnout_runtime.ship.counts import SinkCounts
from turnout_runtime.ship.plan import waiting
from turnout_runtime.telemetry.tally import counter

_HEAD = 64 * 1024
_LOOKED_AT = 16
_TIMES: dict[Kind, re.Pattern[bytes]] = {
    "predictions": re.compile(rb'"time":"([0-9TZ:.+-]+)"'),
    "feedback": re.compile(rb'"received":"([0-9TZ:.+-]+)"'),
}


class ShipMetrics(Collector):
    """All that a shipper counts; lag and what waits are looked up in the backlog."""

    def __init__(
        self, backlog: Backlog, counts: Mapping[str, SinkCounts], clock: Callable[[], float] = time.time
    ) -> None:
        self._backlog, self._counts, self._clock = backlog, counts, clock

    def collect(self) -> Iterator[Metric]:
        """Render all families."""
        counts = self._counts.items()
        yield self._counter("delivered_rows", "Rows that the sink has", [(s, c.rows) for s, c in counts])
        yield self._counter("delivered_bytes", "Bytes that the sink got", [(s, c.bytes) for s, c in counts])
        yield self._counter("refused_rows", "Rows that it will never take", [(s, c.refused) for s, c in counts])
        yield self._counter("expired_files", "Files deleted by retention", [(s, c.expired_files) for s, c in counts])
        failures = [((sink, reason), n) for sink, c in counts for reason, n in c.failures.items()]
        yield counter("turnout_log_sink_failures", "Attempts that failed", ("sink", "reason"), failures)
        up = GaugeMetricFamily("turnout_log_sink_up", "Whether the last attempt went well", labels=("sink",))
        for sink, count in counts:
            up.add_metric((sink,), float(count.up))
        yield up
        yield from self._backlogs()
        for name, text, value in (
            ("rejected_segments", "Segments put aside, wholly or in part unreadable", self._backlog.rejected_segments),
            ("skipped_bytes", "Bytes of segments that belong to no whole block", self._backlog.skipped_bytes),
        ):
            yield CounterMetricFamily(f"turnout_log_{name}", text, value=value)

    @staticmethod
    def _counter(name: str, text: str, counts: list[tuple[str, int]]) -> Metric:
        return counter(f"turnout_log_{name}", text, ("sink",), [((sink,), count) for sink, count in counts])

    def _backlogs(self) -> Iterator[Metric]:
        lag = GaugeMetricFamily("turnout_log_lag_seconds", "Age of the oldest row not delivered", labels=("sink",))
        pending = GaugeMetricFamily("turnout_log_pending_bytes", "Bytes that wait for the sink", labels=("sink",))
        backlog = self._backlog
        for sink in self._counts:
            left = waiting(backlog.seen, backlog.progress, backlog.sinks, sink)
            pending.add_metric((sink,), sum(size for _, _, size in left))
            ages = [self._age(segment, start) for segment, start, _ in left[:_LOOKED_AT]]
            lag.add_metric((sink,), max(ages, default=0.0))
        yield lag
        yield pending

    def _age(self, segment: Segment, start: int) -> float:
        """Seconds since the time of the first row behind the byte; 0 where there is none that is whole."""
        moment = row_time(self._backlog.directory / segment.name, segment.kind, start)
        return 0.0 if moment is None else max(0.0, self._clock() - moment.timestamp())


def row_time(path: Path, kind: Kind, start: int) -> datetime | None:
    """The time of the first row behind byte `start`, where a block begins; None where there is none."""
    for name in (path, path.with_name(path.name.removesuffix(OPEN).removesuffix(SEALED) + SEALED)):
        with suppress(OSError, ValueError), name.open("rb") as file:
            file.seek(start)
            found = _TIMES[kind].search(file.read(_HEAD))
            return None if found is None else datetime.fromisoformat(found[1].decode())
    return None
