"""How good the answers of a revision and arm were, as far as labels tell."""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from turnout_runtime.analysis.statistics import Array, Clusters, Estimate
from turnout_runtime.analysis.statistics.calibration import Bin, expected_error, recalibration, reliability
from turnout_runtime.analysis.statistics.estimate import difference
from turnout_runtime.analysis.statistics.ranking import auc
from turnout_runtime.analysis.statistics.rates import FEWEST, mean, share, share_difference, too_few

Entities: TypeAlias = NDArray[np.uint64]
_NOT_PROBABILITIES = Estimate(note="scores are no probabilities")


@dataclass(frozen=True, slots=True)
class Rows:
    """Answers as columns; NaN is unknown. `positive` is 1 where the decision was the positive one.

    `entity` has the same number in rows of the same entity, and in no others.
    """

    score: Array
    label: Array
    reward: Array
    positive: Array
    weights: Array | None
    entity: Entities

    def where(self, rows: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> "Rows":
        """Some of them."""
        weights = None if self.weights is None else self.weights[rows]
        return Rows(
            self.score[rows], self.label[rows], self.reward[rows], self.positive[rows], weights, self.entity[rows]
        )  # fmt: skip

    def clusters(self) -> Clusters | None:
        """Rows by entity, counted from 0; None where each has its own."""
        codes = np.unique(self.entity, return_inverse=True)[1]
        return None if codes.max(initial=-1) + 1 == len(codes) else codes.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Quality:
    """What labels and rewards say about some answers. Shares, scores and errors are 0 to 1, rewards in their own unit.

    `base_rate` is the share of label 1; precision and recall are those of the positive decision; `slope` and
    `intercept` those of `recalibration`; `calibration_error` the expected one over `bins`.
    """

    answers: int
    labelled: int
    rewarded: int
    base_rate: Estimate
    auc: Estimate
    brier: Estimate
    calibration_error: Estimate
    intercept: Estimate
    slope: Estimate
    precision: Estimate
    recall: Estimate
    reward: Estimate
    bins: list[Bin] = field(default_factory=list)
    entities: int = 0
    """of the labelled ones; where these are fewer, intervals are of entities"""


def quality(rows: Rows) -> Quality:
    """All figures of some answers; what too few rows cannot tell says so instead of a number."""
    labelled, rewarded = rows.where(~np.isnan(rows.label)), rows.where(~np.isnan(rows.reward))
    among = labelled.clusters()
    bins, error, intercept, slope = _calibration(labelled, among)
    return Quality(
        answers=len(rows.score),
        labelled=len(labelled.label),
        rewarded=len(rewarded.reward),
        base_rate=share(labelled.label, labelled.weights, clusters=among),
        auc=auc(labelled.score, labelled.label, labelled.weights, clusters=among),
        brier=mean((labelled.score - labelled.label) ** 2, labelled.weights, clusters=among)
        if _probabilities(labelled) else _NOT_PROBABILITIES,
        calibration_error=error,
        intercept=intercept,
        slope=slope,
        precision=_hits(labelled, among, of=labelled.positive, hit=labelled.label),
        recall=_hits(labelled, among, of=labelled.label, hit=labelled.positive),
        reward=mean(rewarded.reward, rewarded.weights, clusters=rewarded.clusters()),
        bins=bins,
        entities=len(labelled.label) if among is None else int(among.max()) + 1,
    )  # fmt: skip


def differences(a: Quality, b: Quality) -> dict[str, Estimate]:
    """a - b, as of answers that are independent of each other.

    For a shadow, which answered the same requests, the intervals are wider than they need be.
    """
    return {
        "base_rate": share_difference(a.base_rate, b.base_rate) if min(a.labelled, b.labelled) >= FEWEST
        else Estimate(note=too_few(min(a.labelled, b.labelled), FEWEST, "labels")),
        "auc": difference(a.auc, b.auc),
        "brier": difference(a.brier, b.brier),
        "reward": difference(a.reward, b.reward),
    }  # fmt: skip


def _probabilities(rows: Rows) -> bool:
    return bool(np.all((rows.score >= 0) & (rows.score <= 1)))


def _calibration(rows: Rows, among: Clusters | None) -> tuple[list[Bin], Estimate, Estimate, Estimate]:
    if not _probabilities(rows):
        return [], _NOT_PROBABILITIES, _NOT_PROBABILITIES, _NOT_PROBABILITIES
    intercept, slope = recalibration(rows.score, rows.label, rows.weights, clusters=among)
    if len(rows.label) < FEWEST:
        return [], Estimate(note=too_few(len(rows.label), FEWEST, "labels")), intercept, slope
    bins = reliability(rows.score, rows.label, rows.weights, clusters=among)
    return bins, Estimate(expected_error(bins)), intercept, slope


def _hits(rows: Rows, among: Clusters | None, of: Array, hit: Array) -> Estimate:
    """The share of `hit` among the rows where `of` is 1."""
    if np.isnan(rows.positive).all():
        return Estimate(note="no positive decision is known")
    there = of == 1
    weights = None if rows.weights is None else rows.weights[there]
    return share(hit[there], weights, clusters=None if among is None else among[there])
