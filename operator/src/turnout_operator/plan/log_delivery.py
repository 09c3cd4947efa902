"""The condition LogDelivering: whether what the pods log arrives, from what they say of it.

Figures are told in coarse steps, so that a status is written when something happens and not at every scrape.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from turnout_operator.api.conditions import ConditionType, Reason
from turnout_operator.api.prediction_log import PredictionLog
from turnout_operator.plan.conditions import Verdict
from turnout_operator.plan.log_state import LOSS_SECONDS, REJECTED, PodLog, SinkState

DOWNS = 2
MISSES = 3
_LAG_MARGIN = 60.0
_STEPS = (120, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 604_800)
_REMEDIES = {
    "disk_bound": "the sinks take less than is logged, and predictionLog.rotate bounds what waits for them",
    "disk_full": "the volume of the log is full",
    "buffer_full": "the volume of the log is slower than what is logged",
    REJECTED: "files that can't be read, kept in the folder rejected of the pod's log",
}
_FAILURES = {
    "unreachable": "unreachable, ",
    "refused": "credentials or rights refused, ",
    "missing": "bucket, folder or topic missing, ",
    "timeout": "no answer in time, ",
    "full": "full, ",
    "answered": "answers with errors, ",
}


@dataclass(frozen=True, slots=True)
class LogSeen:
    """The condition, and the lag of the slowest sink in words; None where nothing is known yet."""

    verdict: Verdict
    lag: str | None = None


def judge(log: PredictionLog, pods: Sequence[PodLog], now: float) -> LogSeen | None:
    """The condition of a ModelDeployment whose ready pods are given; None while they have not been asked."""
    heard = [pod for pod in pods if pod.heard and pod.misses < MISSES]
    silent = [pod for pod in pods if pod.misses >= MISSES]
    if not heard and not silent:
        return None
    lags = [sink.lag for pod in heard for sink in pod.sinks.values()]
    lag = _under(max(lags), _usual(log)) if lags else None
    lost, late = _lost(heard, len(pods), now), _late(log, heard, len(pods))
    if lost:
        return LogSeen(_false(Reason.DROPPING_RECORDS, [*lost, *late]), lag)
    if late:
        return LogSeen(_false(Reason.SINK_UNAVAILABLE, late), lag)
    if silent:
        return LogSeen(not_observed(_silence(silent, len(pods))), lag)
    return LogSeen(Verdict(ConditionType.LOG_DELIVERING, "True", Reason.DELIVERING, _good(log, len(heard))), lag)


def not_observed(message: str = "no pod was asked yet") -> Verdict:
    """Nothing is known."""
    return Verdict(ConditionType.LOG_DELIVERING, "Unknown", Reason.NOT_OBSERVED, message)


def _false(reason: Reason, parts: Sequence[str]) -> Verdict:
    return Verdict(ConditionType.LOG_DELIVERING, "False", reason, "; ".join(parts))


def _good(log: PredictionLog, pods: int) -> str:
    said = f"{pods} pod{'s' if pods > 1 else ''}"
    names = ", ".join(sink.name for sink in log.sinks)
    return f"{said} to {names}" if names else f"{said}; there are no sinks, the log stays in the pods"


def _silence(silent: Sequence[PodLog], of: int) -> str:
    return (
        f"{len(silent)} of {of} ready pods, {silent[0].name} among them, give the operator no metrics: let it reach"
        " their ports 8081 and 9092"
    )


def _lost(heard: Sequence[PodLog], of: int, now: float) -> list[str]:
    rows: Counter[str] = Counter()
    pods: Counter[str] = Counter()
    for pod in heard:
        recent = [loss for loss in pod.losses if loss.time > now - LOSS_SECONDS]
        for loss in recent:
            rows[loss.reason] += round(loss.rows)
        pods.update({loss.reason for loss in recent})
    return [_loss(reason, rows[reason], f"{pods[reason]} of {of} pods") for reason in sorted(rows)]


def _loss(reason: str, count: int, where: str) -> str:
    remedy = f": {_REMEDIES[reason]}" if reason in _REMEDIES else ""
    unit = "files" if reason == REJECTED else "rows"
    return f"{_at_least(count)} {unit} lost in 5 minutes in {where} ({reason}){remedy}"


def _late(log: PredictionLog, heard: Sequence[PodLog], of: int) -> list[str]:
    limit = _usual(log) + _LAG_MARGIN
    late: dict[str, list[tuple[PodLog, SinkState]]] = {}
    for pod in heard:
        for name, sink in pod.sinks.items() if pod.shipper_misses < MISSES else ():
            if sink.downs >= DOWNS or sink.lag > limit:
                late.setdefault(name, []).append((pod, sink))
    mute = [pod for pod in heard if pod.ships and pod.shipper_misses >= MISSES]
    parts = [_sink(log, name, seen, of) for name, seen in sorted(late.items())]
    if mute:
        parts.append(f"the container log of {len(mute)} of {of} pods does not answer")
    pods = [pod for seen in late.values() for pod, _ in seen] or mute
    return [*parts[:-1], f"{parts[-1]}: see `kubectl logs {pods[0].name} -c log`"] if parts else []


def _sink(log: PredictionLog, name: str, seen: Sequence[tuple[PodLog, SinkState]], of: int) -> str:
    lag, pending = max(sink.lag for _, sink in seen), max(sink.pending for _, sink in seen)
    bound = log.rotate.size.bytes * log.rotate.keep
    share = min(100, int(10 * pending / bound) * 10)
    waits = f"{share} % of {_bytes(bound)} waiting" if share else f"less than 10 % of {_bytes(bound)} waiting"
    why = _FAILURES.get(max(seen, key=lambda each: each[1].downs)[1].reason, "")
    return f"sink {name} of {len(seen)} of {of} pods: {why}lag {_words(lag, _usual(log))}, {waits}"


def _usual(log: PredictionLog) -> float:
    """The lag in s below which nothing is said: a file is written to for a while, and then it is delivered."""
    return max(120.0, 2 * log.rotate.age.seconds)


def _under(lag: float, usual: float) -> str:
    """The lag for a column: the step below which it is."""
    if lag < usual:
        return f"<{_time(usual, '')}"
    above = [step for step in _STEPS if step > max(lag, usual)]
    return f"<{_time(above[0], '')}" if above else f">{_time(_STEPS[-1], '')}"


def _words(lag: float, usual: float) -> str:
    if lag < usual:
        return f"under {_time(usual, ' ')}"
    return f"over {_time(max(usual, _STEPS[max(0, bisect_right(_STEPS, lag) - 1)]), ' ')}"


def _time(seconds: float, space: str) -> str:
    for size, unit, word in ((86_400, "d", "d"), (3_600, "h", "h"), (60, "m", "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:.0f}{space}{word if space else unit}"
    return f"{seconds:.0f}{space}s"


def _bytes(count: float) -> str:
    for size, unit in ((1024**4, "TiB"), (1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if count >= size:
            return f"{count / size:.0f} {unit}"
    return f"{count:.0f} B"


def _at_least(count: int) -> str:
    """A count in powers of ten."""
    return f"at least {10 ** (len(str(max(1, count))) - 1):,}"
