"""Whether a log says enough about a policy. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from turnout_runtime.errors import TooLittleOverlap
from turnout_runtime.evaluation.layout import number, percent
from turnout_runtime.evaluation.policy.estimate import Logged, Numbers, cluster_sums, standard_error, weights

_ERRORS = 4.0  # standard errors that the mean weight may be away from 1
_ROUNDING = 0.005  # and what rounded propensities explain


@dataclass(frozen=True, slots=True)
class Overlap:
    """How well the log covers a policy.

    `effective` is the size of a sample of the new policy itself that would say as much (Kish 1965, over clusters). The
    weights average 1 when every action that the policy takes could have been logged, `error` is their mean's standard
    error. `rows` and `wanted` are by action: rows of the log, and the share that the policy gives to it.
    """

    requests: int
    clusters: int
    effective: float
    mean_weight: float
    error: float
    largest_weight: float
    rows: dict[str, int]
    wanted: dict[str, float]


def overlap(logged: Logged, target: Numbers, actions: Sequence[str]) -> Overlap:
    """The overlap of a log of at least one row with a policy, (n, k) probabilities of the actions."""
    w = weights(logged, target)
    sums, sizes = cluster_sums(logged, w), cluster_sums(logged, np.ones_like(w))
    squares = float(sums @ sums)
    rows = np.bincount(logged.action, minlength=len(actions)).tolist()
    return Overlap(
        len(logged),
        len(sums),
        float(sums.sum()) ** 2 / squares if squares else 0.0,
        float(w.mean()),
        standard_error(sums, sizes),
        float(w.max()),
        dict(zip(actions, rows, strict=True)),
        dict(zip(actions, target.mean(axis=0).tolist(), strict=True)),
    )


def check(found: Overlap, least: float) -> None:
    """Raise `TooLittleOverlap` that says what is missing, and how much is needed; `least` is the effective size."""
    for action, share in found.wanted.items():
        if share > 0 and not found.rows[action]:
            raise TooLittleOverlap(
                f"the policy takes {action!r} in {percent(share)} of the requests, and the log has no reward of it:"
                f" give {action!r} some traffic first (a weight above 0)"
            )
    if found.effective < least:
        needed = math.ceil(found.requests * least / found.effective / 100) * 100 if found.effective else None
        log = f"about {needed:,} such requests" if needed else "more of what the policy does"
        raise TooLittleOverlap(
            f"too little overlap: {found.requests:,} requests say as much as {found.effective:.0f} of the policy's own,"
            f" {least:.0f} are needed: log {log}, or give what the policy prefers more traffic"
        )
    if abs(found.mean_weight - 1) > max(_ERRORS * found.error, _ROUNDING):
        raise TooLittleOverlap(
            f"the weights average {number(found.mean_weight)} (± {number(found.error)}) and not 1: for a part of the"
            " requests the log could not have had what the policy does, propensities are wrong, or rewards are missing"
            " for one arm more than for another: narrow it with --where policy_version=…, or wait for the rewards"
        )
