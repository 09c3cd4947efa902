"""What is known of the log of one pod, carried on from scrape to scrape."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from turnout_operator.plan.samples import Sample, by_label

LOSS_SECONDS = 300.0
REJECTED = "rejected"
_DROPPED, _REJECTED = "turnout_log_dropped_total", "turnout_log_rejected_segments_total"
_REFUSED, _FAILURES = "turnout_log_refused_rows_total", "turnout_log_sink_failures_total"
_UP, _LAG, _PENDING = "turnout_log_sink_up", "turnout_log_lag_seconds", "turnout_log_pending_bytes"

RUNTIME_NAMES = (_DROPPED,)
SHIPPER_NAMES = (_UP, _LAG, _PENDING, _REJECTED, _REFUSED, _FAILURES)


class Loss(NamedTuple):
    """Rows that a pod lost, seen at `time` (seconds): for `rejected` files that could not be delivered, for
    `refused by SINK` rows that it will never take."""

    time: float
    reason: str
    rows: float


class SinkState(NamedTuple):
    """One sink of one pod. `downs` are the scrapes in a row that found it down, `reason` says why; `lag` is in s,
    `pending` in bytes. `failures` are counts by reason."""

    downs: int
    lag: float
    pending: float
    reason: str = ""
    failures: Mapping[str, float] = MappingProxyType({})


_NEW = SinkState(0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class PodLog:
    """One pod's log. `misses` and `shipper_misses` are the scrapes in a row that got no answer."""

    name: str
    heard: bool = False
    misses: int = 0
    ships: bool = False
    shipper_misses: int = 0
    counted: Mapping[str, float] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    sinks: Mapping[str, SinkState] = field(default_factory=dict)

    def after(self, now: float, runtime: Collection[Sample] | None, shipper: Collection[Sample] | None) -> "PodLog":
        """The state after a scrape; None stands for no answer."""
        kept = tuple(loss for loss in self.losses if loss.time > now - LOSS_SECONDS)
        counted = _counted(runtime, shipper)
        return replace(
            self,
            heard=self.heard or runtime is not None,
            misses=0 if runtime is not None else self.misses + 1,
            shipper_misses=0 if shipper is not None else self.shipper_misses + 1,
            counted={**self.counted, **counted},
            losses=(*kept, *(_losses(now, self.counted, counted) if self.heard else ())),
            sinks=self.sinks if shipper is None else _sinks(self.sinks, shipper),
        )


def _counted(runtime: Collection[Sample] | None, shipper: Collection[Sample] | None) -> dict[str, float]:
    dropped = by_label(runtime or (), _DROPPED, "reason")
    rejected = sum(sample.value for sample in shipper or () if sample.name == _REJECTED)
    refused = {f"refused by {sink}": rows for sink, rows in by_label(shipper or (), _REFUSED, "sink").items()}
    return dropped | refused | ({REJECTED: rejected} if shipper is not None else {})


def _losses(now: float, before: Mapping[str, float], counted: Mapping[str, float]) -> list[Loss]:
    """What counters rose by; one that is lower than before began anew, in a container that was started again."""
    rises = {reason: _rise(before.get(reason, 0.0), count) for reason, count in counted.items()}
    return [Loss(now, reason, rise) for reason, rise in rises.items() if rise > 0]


def _rise(before: float, count: float) -> float:
    return count - before if count >= before else count


def _sinks(before: Mapping[str, SinkState], shipper: Collection[Sample]) -> dict[str, SinkState]:
    lag, pending = by_label(shipper, _LAG, "sink"), by_label(shipper, _PENDING, "sink")
    failures: dict[str, dict[str, float]] = {}
    for sample in shipper:
        if sample.name == _FAILURES:
            failures.setdefault(sample.labels.get("sink", ""), {})[sample.labels.get("reason", "")] = sample.value
    seen = {
        name: SinkState(int(not up), lag.get(name, 0.0), pending.get(name, 0.0), "", failures.get(name, {}))
        for name, up in by_label(shipper, _UP, "sink").items()
    }
    return {name: _carried_on(before.get(name, _NEW), now) for name, now in seen.items()}


def _carried_on(before: SinkState, now: SinkState) -> SinkState:
    if not now.downs:
        return now
    rises = {reason: _rise(before.failures.get(reason, 0.0), count) for reason, count in now.failures.items()}
    newest = max(rises, key=lambda reason: rises[reason], default="")
    reason = newest if rises.get(newest, 0.0) > 0 else before.reason
    return now._replace(downs=before.downs + 1, reason=reason)
