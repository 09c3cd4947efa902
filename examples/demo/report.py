"""The demo's tables, from answers, prediction records and labels."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from flight_delay.bundles import Bundle
from flight_delay.quality import Quality, quality
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


def outcomes(answers: Sequence[Answer], records: Sequence[Record]) -> dict[str, Quality]:
    """Quality by arm: the log's scores joined by request id with whether the flight was late in the end."""
    late = {answer.question.request_id: answer.question.flight.late for answer in answers}
    scored = [row for row in records if row["status"] == "ok"]
    by_arm = {arm: [row for row in scored if row["arm"] == arm] for arm in {row["arm"] for row in scored}}
    return {
        arm: quality([row["score"] for row in rows], [late[row["request_id"]] for row in rows])
        for arm, rows in sorted(by_arm.items(), reverse=True)
    }


def outcome_table(found: Mapping[str, Quality], known: Mapping[str, Bundle]) -> Table:
    """Measured here against measured offline on the whole half year, with 95 % intervals."""
    shown = table("arm", "flights", "late", "AUC", "offline", "Brier", "offline")
    for arm, here in found.items():
        offline = known[arm].replay
        auc = (f"{here.auc:.3f} ± {here.auc_margin:.3f}", f"{offline.auc:.3f}")
        brier = (f"{here.brier:.3f} ± {here.brier_margin:.3f}", f"{offline.brier:.3f}")
        shown.add_row(arm, f"{here.n:,}", f"{here.late / here.n:.0%}", *auc, *brier)
    return shown


def facts_line(records: Sequence[Record]) -> str:
    """How often each fact was live, and why it was not when it was not."""
    facts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in records:
        for name, fact in row["facts"].items():
            facts[name][fact.get("reason") or "live"] += 1
    return "; ".join(f"{name} {_shares(counts)}" for name, counts in sorted(facts.items(), reverse=True))


def _shares(counts: Counter[str]) -> str:
    return ", ".join(f"{count / counts.total():.1%} {what.replace('_', ' ')}" for what, count in counts.most_common())
