"""What an evaluation of a policy found, in words and as JSON. Pure."""

from dataclasses import asdict, dataclass
from typing import Any

from turnout_runtime.evaluation.layout import number, percent, table
from turnout_runtime.evaluation.policy.estimate import Estimate, Estimates
from turnout_runtime.evaluation.policy.overlap import Overlap

_NAMES = {"logged": "as logged", "ips": "IPS", "snips": "SNIPS", "dr": "DR", "gain": "DR - as logged"}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A policy, its estimates, and how well the log covers it; `dropped` are records that say nothing, by reason.

    `level` is that of the intervals; `model` says which rewards DR starts from.
    """

    policy: str
    overlap: Overlap
    estimates: Estimates
    dropped: dict[str, int]
    level: float
    model: str


def document(found: Evaluation) -> dict[str, Any]:
    """All of it for JSON."""
    return asdict(found)


def told(found: Evaluation) -> str:
    """The same for people."""
    cover = found.overlap
    lines = [f"{found.policy}: {cover.requests:,} requests of {cover.clusters:,} entities"]
    lines += [f"left out {count:,}: {reason}" for reason, count in sorted(found.dropped.items())]
    lines.append(
        f"they say as much as {cover.effective:,.0f} of the policy's own; weights up to {number(cover.largest_weight)},"
        f" {cover.mean_weight:.3f} on average (± {cover.error:.3f})"
    )
    actions = [(name, f"{rows:,}", percent(cover.wanted[name])) for name, rows in cover.rows.items()]
    lines += ["", table(("action", "in the log", "the policy"), actions)]
    level = percent(found.level)
    rows = [_row(name, getattr(found.estimates, field)) for field, name in _NAMES.items()]
    lines += ["", table(("mean reward", "estimate", f"{level} normal", f"{level} bootstrap"), rows)]
    return "\n".join([*lines, f"DR starts from {found.model}"])


def _row(name: str, estimate: Estimate) -> tuple[str, ...]:
    intervals = (f"{low:.4g} to {high:.4g}" for low, high in (estimate.normal, estimate.bootstrap))
    return name, f"{estimate.value:.4g}", *intervals
