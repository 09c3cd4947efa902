"""The demo's tables, from answers, prediction records, and what `turnout log` says."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from demo.policy import State
from demo.records import Record
from demo.replay import Answer
from demo.screen import table
from demo.split import Split

STAGES = ("queue", "facts", "features", "model", "decide", "total")


def split_table(state: State, split: Split) -> Table:
    """Wanted, acknowledged and counted share of each arm."""
    shown = table("arm", "wanted", "in Envoy", "requests", "entities", "of entities")
    for arm, wanted in state.wanted.items():
        share = f"{split.share(arm):.1%} ± {split.margin(arm):.1%}"
        observed = state.observed[arm]
        acknowledged = "not yet" if observed is None else f"{observed:g} %"
        counts = (f"{split.requests[arm]:,}", f"{split.entities[arm]:,}")
        shown.add_row(arm, f"{wanted:g} %", acknowledged, *counts, share)
    return shown


def latency_table(answers: Sequence[Answer], records: Sequence[Record]) -> Table:
    """p50 and p99 in ms by stage and arm; the last row is what the caller saw."""
    arms = sorted({answer.arm for answer in answers}, reverse=True)
    shown = table("ms", *(f"{arm} {part}" for arm in arms for part in ("p50", "p99")))
    for stage in STAGES:
        times = ([row["stages_ms"].get(stage) or 0.0 for row in records if row["arm"] == arm] for arm in arms)
        name = "in the pod, total" if stage == "total" else stage
        shown.add_row(name, *(text for values in times for text in _percentiles(values)))
    seen = ([answer.seconds * 1000 for answer in answers if answer.arm == arm] for arm in arms)
    shown.add_row("seen by the caller", *(text for values in seen for text in _percentiles(values)))
    return shown


def _percentiles(milliseconds: Sequence[float]) -> tuple[str, str]:
    p50, p99 = np.percentile(milliseconds or [float("nan")], [50, 99])
    return f"{p50:.2f}", f"{p99:.2f}"


def quality_table(found: Mapping[str, Any]) -> Table:
    """What `turnout log quality --json` says about each arm, with 95 % intervals; fallbacks stand apart."""
    shown = table("arm", "labelled", "late", "AUC", "Brier", "precision")
    for group in sorted(found["groups"], key=lambda group: (group["arm"], group["kind"] == "answer"), reverse=True):
        figures = [_estimate(group[name]) for name in ("base_rate", "auc", "brier", "precision")]
        arm = group["arm"] + ("" if group["kind"] == "answer" else f", {group['kind']}")
        shown.add_row(arm, f"{group['labelled']:,}", *figures)
    return shown


def differences(found: Mapping[str, Any]) -> Iterator[str]:
    """How each group differs from the baseline."""
    for group in found["differences"]:
        figures = ", ".join(
            f"{name} {_estimate(group[key], '+', ' to ')}" for name, key in (("AUC", "auc"), ("Brier", "brier"))
        )
        kind = "" if group["kind"] == "answer" else f", {group['kind']},"
        yield f"{group['arm']}{kind} against {found['baseline']['arm']}: {figures}"


def _estimate(estimate: Mapping[str, Any], sign: str = "", to: str = "-") -> str:
    if estimate["value"] is None:
        return "-"
    low, high = (f"{estimate[side]:{sign}.3f}".replace("0.", ".", 1) for side in ("low", "high"))
    return f"{estimate['value']:{sign}.3f} ({low}{to}{high})"


def facts_line(records: Sequence[Record]) -> str:
    """How often each fact was live, and why it was not when it was not."""
    facts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in records:
        for name, fact in row["facts"].items():
            facts[name][fact.get("reason") or "live"] += 1
    return "; ".join(f"{name} {_shares(counts)}" for name, counts in sorted(facts.items(), reverse=True))


def _shares(counts: Counter[str]) -> str:
    return ", ".join(f"{count / counts.total():.1%} {what.replace('_', ' ')}" for what, count in counts.most_common())
