import numpy as np
import pytest
from flight_delay.quality import quality
from sklearn.metrics import brier_score_loss, roc_auc_score


def test_auc_and_brier_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(1)
    late = random.random(500) < 0.3
    scores = np.round(np.clip(0.3 + 0.2 * late + random.normal(0, 0.2, 500), 0, 1), 2)  # rounded: with ties
    found = quality(scores, late)
    assert found.auc == pytest.approx(roc_auc_score(late, scores))
    assert found.brier == pytest.approx(brier_score_loss(late, scores))
    assert (found.n, found.late) == (500, late.sum())


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(300):
        late = random.random(400) < 0.25
        found = quality(random.normal(late * 0.8, 1.0), late)
        hits += abs(found.auc - 0.7142) <= found.auc_margin  # Φ(0.8/√2): two normals, 0.8 apart
    assert 0.91 <= hits / 300 <= 0.99


def test_one_class_alone_has_no_auc() -> None:
    with pytest.raises(ValueError, match="late and punctual"):
        quality([0.1, 0.2], [False, False])
