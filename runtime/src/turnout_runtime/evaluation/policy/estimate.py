"""Estimators of a policy's mean reward from another policy's log. Pure.

- IPS, inverse propensity scoring: rewards weighted by how much more often the new policy would have chosen the logged
  action (Horvitz and Thompson 1952, "A Generalization of Sampling Without Replacement From a Finite Universe").
- SNIPS, self-normalised: divided by the sum of the weights instead of the number of rows; a little bias for much less
  variance (Swaminathan and Joachims 2015, "The Self-Normalized Estimator for Counterfactual Learning").
- DR, doubly robust: a model of the reward, corrected by the weighted errors that it makes on the log; right when either
  propensities or model are (Dudik, Langford and Li 2011, "Doubly Robust Policy Evaluation and Learning").

All are ratios of sums over clusters: rows of one entity share their arm, so they are not independent of each other.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
_BLOCKS = 2000  # what is drawn from in a resample: beyond that, random groups of clusters


@dataclass(frozen=True, slots=True)
class Logged:
    """n rows of the log: action (an index below k), its propensity (above 0), reward, and cluster (an index)."""

    action: Indices
    propensity: Numbers
    reward: Numbers
    cluster: Indices

    def __len__(self) -> int:
        return len(self.action)

    def only(self, rows: npt.NDArray[np.bool_]) -> "Logged":
        """The rows that are marked."""
        return Logged(self.action[rows], self.propensity[rows], self.reward[rows], self.cluster[rows])


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward, with a normal interval (clustered delta method) and a bootstrap one (percentiles)."""

    value: float
    normal: tuple[float, float]
    bootstrap: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimates:
    """Mean rewards of the log itself (`logged`) and of the new policy; `gain` is DR less what was logged."""

    logged: Estimate
    ips: Estimate
    snips: Estimate
    dr: Estimate
    gain: Estimate


def weights(logged: Logged, target: Numbers) -> Numbers:
    """How much more often than the log the new policy chooses each row's action; `target` is (n, k) probabilities."""
    chosen: Numbers = target[np.arange(len(logged)), logged.action]
    return chosen / logged.propensity


def mean_rewards(logged: Logged, actions: int) -> Numbers:
    """The simplest reward model: each action's mean reward, (n, k); of an action without rows, that of all rows."""
    rows = np.bincount(logged.action, minlength=actions)
    sums = np.bincount(logged.action, logged.reward, minlength=actions)
    means = np.where(rows > 0, sums / np.maximum(rows, 1), logged.reward.mean())
    return np.broadcast_to(means.astype(np.float64), (len(logged), actions))


def estimate(
    logged: Logged,
    target: Numbers,
    predicted: Numbers | None = None,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimates:
    """All estimates of the policy `target` (n, k); `predicted` (n, k) are a model's rewards, by default of the means.

    Time and memory grow with n and with resamples, not with their product. The same input gives the same numbers.
    """
    w, r = weights(logged, target), logged.reward
    q = mean_rewards(logged, target.shape[1]) if predicted is None else predicted
    dr = (target * q).sum(axis=1) + w * (r - q[np.arange(len(r)), logged.action])
    ones = np.ones_like(r)
    table = np.stack([cluster_sums(logged, part) for part in (r, ones, w * r, w, dr, dr - r)])
    draws = _resampled(table, resamples, seed)
    pairs = {"logged": (0, 1), "ips": (2, 1), "snips": (2, 3), "dr": (4, 1), "gain": (5, 1)}
    found = {name: _ratio(table[a], table[b], draws[a], draws[b], level) for name, (a, b) in pairs.items()}
    return Estimates(**found)


def cluster_sums(logged: Logged, values: Numbers) -> Numbers:
    """The sum of a value of the rows, (n,), over each cluster that there is."""
    sums: Numbers = np.bincount(logged.cluster, values)[np.bincount(logged.cluster) > 0].astype(np.float64)
    return sums


def standard_error(numerator: Numbers, denominator: Numbers) -> float:
    """Of the ratio of two sums over independent clusters, by the delta method; infinite for a single cluster."""
    count, total = len(numerator), float(denominator.sum())
    if count < 2 or total == 0:
        return math.inf
    residual = numerator - numerator.sum() / total * denominator
    return math.sqrt(count / (count - 1) * float(residual @ residual)) / abs(total)


def _ratio(numerator: Numbers, denominator: Numbers, top: Numbers, bottom: Numbers, level: float) -> Estimate:
    total = float(denominator.sum())
    value = float(numerator.sum()) / total if total else math.nan
    reach = NormalDist().inv_cdf((1 + level) / 2) * standard_error(numerator, denominator)
    drawn = top[bottom != 0] / bottom[bottom != 0]
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2)) if len(drawn) else (math.nan, math.nan)
    return Estimate(value, (value - reach, value + reach), (float(low), float(high)))


def _resampled(table: Numbers, resamples: int, seed: int) -> Numbers:
    """Sums of clusters drawn with replacement: (rows of the table, resamples)."""
    random, clusters = np.random.default_rng(seed), table.shape[1]
    if clusters > _BLOCKS:
        block = random.permutation(clusters) % _BLOCKS
        table = np.stack([np.bincount(block, row, minlength=_BLOCKS) for row in table])
    count = table.shape[1]
    drawn = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    return table @ drawn.T.astype(np.float64)
