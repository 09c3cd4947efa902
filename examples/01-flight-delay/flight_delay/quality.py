"""How good scores were, once the labels are known: AUC and Brier score, each with a 95 % interval."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Z95 = 1.96


@dataclass(frozen=True)
class Quality:
    """`auc` and `brier` (mean squared error of the score) over `n` flights of which `late` were late; ± is 95 %."""

    n: int
    late: int
    auc: float
    auc_margin: float
    brier: float
    brier_margin: float


def quality(scores: npt.ArrayLike, late: npt.ArrayLike) -> Quality:
    """Scores and labels in one order; ValueError without at least one late and one punctual flight."""
    score, label = np.asarray(scores, dtype=float), np.asarray(late, dtype=bool)
    positives, negatives = int(label.sum()), int((~label).sum())
    if not positives or not negatives:
        raise ValueError("AUC needs both late and punctual flights")
    area = (rankdata(score)[label].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    errors = (score - label) ** 2
    return Quality(
        n=len(score),
        late=positives,
        auc=float(area),
        auc_margin=Z95 * _auc_error(float(area), positives, negatives),
        brier=float(errors.mean()),
        brier_margin=float(Z95 * errors.std() / np.sqrt(len(errors))),
    )


def _auc_error(area: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC after Hanley and McNeil (1982)."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    return float(np.sqrt(spread / (positives * negatives)))
