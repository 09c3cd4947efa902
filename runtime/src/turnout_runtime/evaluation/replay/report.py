"""A comparison as JSON and in words. Pure."""

from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from turnout_runtime.evaluation.layout import number, percent, table
from turnout_runtime.evaluation.replay.compare import Comparison, Example
from turnout_runtime.evaluation.replay.slices import Slice
from turnout_runtime.sketches.bins import quantile_bins
from turnout_runtime.sketches.measures import ks, ks_p_value, psi

_QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True, slots=True)
class Run:
    """What is known of a replay beside its pairs.

    `skipped` by reason; `alone_ms` are latencies of requests one at a time, `seconds` is the time of all together.
    """

    bundle: str
    skipped: dict[str, int]
    seconds: float
    alone_ms: Sequence[float]


def document(found: Comparison, run: Run, top: int) -> dict[str, Any]:
    """Everything that was found, for JSON, which writes NaN as null; shares are of 1, times in milliseconds."""
    return {
        "bundle": run.bundle,
        "replayed": found.pairs,
        "skipped": run.skipped,
        "answered": found.answered,
        "agreement": 1 - found.disagreement,
        "identical": found.identical,
        "mended": found.mended,
        "errors": {name: {"records": n, "first": found.texts[name]} for name, n in found.errors.most_common()},
        "decisions": [{"logged": a, "replayed": b, "records": n} for (a, b), n in found.decisions.most_common(top)],
        "fallbacks": [{"logged": a, "replayed": b, "records": n} for (a, b), n in found.fallbacks.most_common(top)],
        "score": _scores(*found.scores),
        "slices": [asdict(each) for each in found.slices.found(top)],
        "features": {name: asdict(change) for name, change in _changed(found)},
        "unknown_facts": dict(found.unknown),
        "latency": {
            "logged_ms": _latency(found.logged_ms),
            "replayed_ms": _latency(run.alone_ms),
            "requests_per_second": found.pairs / run.seconds if run.seconds else 0.0,
        },
        "worst": [asdict(example) for example in found.worst()],
    }


def _scores(logged: "array[float]", replayed: "array[float]") -> dict[str, Any] | None:
    if not logged:
        return None
    before, now = np.frombuffer(logged, np.float64), np.frombuffer(replayed, np.float64)
    shift = now - before
    before, now = np.sort(before), np.sort(now)
    bins = quantile_bins(before)
    statistic = ks(before, now)
    return {
        "records": len(before),
        "mean": [float(before.mean()), float(now.mean())],
        "mean_shift": float(shift.mean()),
        "mean_absolute_shift": float(np.abs(shift).mean()),
        "shift_quantiles": dict(zip(map(str, _QUANTILES), np.quantile(shift, _QUANTILES).tolist(), strict=True)),
        "changed": int(np.count_nonzero(shift)),
        "psi": psi(bins.grouped(bins.count(before)), bins.grouped(bins.count(now))),
        "ks": statistic,
        "p_value": ks_p_value(statistic, len(before), len(now)),
    }


def _changed(found: Comparison) -> list[tuple[str, Any]]:
    return sorted(found.features.items(), key=lambda item: (-item[1].records, -item[1].largest, item[0]))


def _latency(values: Sequence[float]) -> dict[str, float] | None:
    return {f"p{q}": float(np.percentile(values, q)) for q in (50, 99)} if len(values) else None


def told(found: Comparison, run: Run, top: int) -> str:
    """The same for people."""
    score, lines = _scores(*found.scores), [_head(found, run)]
    lines += [f"skipped {count:,}: {reason}" for reason, count in sorted(run.skipped.items())]
    lines += [f"error in {n:,}: {name}: {found.texts[name]}" for name, n in found.errors.most_common()]
    if found.mended:
        lines.append(f"{found.mended:,} errors of the log are answered now")
    lines += [f"no record has the fact {name}: {n:,} requests went without" for name, n in found.unknown.most_common()]
    if score is not None and score["changed"]:
        low, *_, high = score["shift_quantiles"].values()
        lines.append(
            f"score: {score['changed']:,} changed, mean {number(score['mean'][0])} → {number(score['mean'][1])},"
            f" 98 % of the changes from {number(low)} to {number(high)}; PSI {score['psi']:.3f}, KS {score['ks']:.3f}"
        )
    if found.decisions:
        rows = [(a, b or "(error)", f"{n:,}") for (a, b), n in found.decisions.most_common(top)]
        lines += ["", table(("decision", "now", "records"), rows)]
    if found.fallbacks:
        rows = [(a or "(none)", b or "(none)", f"{n:,}") for (a, b), n in found.fallbacks.most_common(top)]
        lines += ["", table(("fallback", "now", "records"), rows)]
    if slices := found.slices.found(top):
        lines += [
            "",
            table(("slices that changed most", "records", "other decision", "score"), list(map(_slice, slices))),
        ]
    if found.features:
        rows = [(name, f"{c.records:,}", number(c.largest)) for name, c in _changed(found)[:top]]
        lines += ["", table(("features that differ", "records", "by at most"), rows)]
    if worst := found.worst():
        lines += ["", table(("changed most", "decision", "score", ""), list(map(_example, worst)))]
    return "\n".join([*lines, "", _speed(found, run)])


def _head(found: Comparison, run: Run) -> str:
    return (
        f"{run.bundle}: {found.pairs:,} requests replayed, {found.agreed:,} of {found.answered:,} decisions agree"
        f" ({percent(1 - found.disagreement)}), {found.identical:,} records are equal bit for bit"
    )


def _slice(each: Slice) -> tuple[str, ...]:
    return each.name, f"{each.records:,}", percent(each.disagreement), f"{each.shift:+.4g}"


def _example(example: Example) -> tuple[str, ...]:
    (before, now), (low, high) = example.decision, example.score
    changed = ", ".join(f"{name} {a} → {b}" for name, (a, b) in list(example.features.items())[:3])
    after = f"{before} → {now}" if before != now else before
    score = f"{number(low)} → {number(high)}" if high is not None else number(low)
    return example.prediction_id, after, score, example.error or changed


def _speed(found: Comparison, run: Run) -> str:
    told = f"{found.pairs / run.seconds:,.0f} requests/s together" if run.seconds else ""
    if (alone := _latency(run.alone_ms)) is not None and (logged := _latency(found.logged_ms)) is not None:
        told += (
            f"; one at a time p50 {alone['p50']:.2f} ms, p99 {alone['p99']:.2f} ms"
            f" (logged without facts and queue: {logged['p50']:.2f}, {logged['p99']:.2f})"
        )
    return told
