"""Quality per group, from a log and a label file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, precision_score, recall_score, roc_auc_score
from tests.unit.runtime.analysis.logs import record, write_csv, write_log

from turnout_runtime.analysis import report_text
from turnout_runtime.analysis.groups import Answers, Group
from turnout_runtime.analysis.join import joining
from turnout_runtime.analysis.labels import LabelFile
from turnout_runtime.analysis.quality import Quality
from turnout_runtime.analysis.report import Report, Wanted, report
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.analysis.statistics.rates import share
from turnout_runtime.errors import LogInvalid

COUNT = 400


class Simulated:
    """Two arms; the canary's scores are closer to the truth. Every tenth answer rests on a fallback."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(5)
        truth = rng.beta(2, 3, COUNT)
        self.label = (rng.random(COUNT) < truth).astype(int)
        self.canary = rng.random(COUNT) < 0.5
        noise = rng.normal(0, np.where(self.canary, 0.2, 2.0))
        self.score = np.round(1 / (1 + np.exp(-np.log(truth / (1 - truth)) - noise)), 6)
        self.late = self.score > 0.5
        self.fallback = np.arange(COUNT) % 10 == 0
        records = [self._record(n) for n in range(COUNT)]
        shadows = [
            record(f"s{n}", request_id=f"r-p{n}", arm="next", revision="delay-3", shadow=True,
                   score=float(self.score[n]), decision="late", minute=n // 4)
            for n in range(0, COUNT, 2)
        ]  # fmt: skip
        self.log = write_log(folder / "log", [*records, *shadows])
        rows = [(f"p{n}", self.label[n], self.label[n] * 2.0) for n in range(COUNT)]
        self.labels = write_csv(folder / "l.csv", "prediction_id,label,reward", rows)

    def _record(self, n: int) -> dict[str, Any]:
        return record(
            f"p{n}", arm="canary" if self.canary[n] else "main", revision="delay-2" if self.canary[n] else "delay-1",
            score=float(self.score[n]), decision="late" if self.late[n] else "on_time", minute=n // 4,
            propensity=0.5 if n % 3 else 0.25, fallback_used=bool(self.fallback[n]), fallback="facts",
        )  # fmt: skip

    def report(self, **wanted: Any) -> Report:
        with joining(LogSource([self.log]), LabelFile(str(self.labels))) as join:
            return report(join, Wanted(**wanted))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return Simulated(tmp_path_factory.mktemp("quality"))


def found(report: Report) -> dict[Group, Quality]:
    return dict(report.groups)


MAIN, CANARY = Group("delay-1", "main", "answer"), Group("delay-2", "canary", "answer")


def test_figures_of_each_group_are_scikit_learns(simulated: Simulated) -> None:
    groups = found(simulated.report())
    assert set(groups) == {
        MAIN, CANARY, Group("delay-1", "main", "fallback"), Group("delay-2", "canary", "fallback"),
        Group("delay-3", "next", "shadow"),
    }  # fmt: skip
    for group, canary in ((MAIN, False), (CANARY, True)):
        rows = (simulated.canary == canary) & ~simulated.fallback
        quality, label, late = groups[group], simulated.label[rows], simulated.late[rows]
        assert (quality.answers, quality.labelled, quality.rewarded) == (rows.sum(),) * 3
        expected = {
            "base_rate": label.mean(), "auc": roc_auc_score(label, simulated.score[rows]),
            "brier": brier_score_loss(label, simulated.score[rows]), "precision": precision_score(label, late),
            "recall": recall_score(label, late), "reward": 2 * label.mean(),
        }  # fmt: skip
        assert {name: getattr(quality, name).value for name in expected} == pytest.approx(expected)
        assert sum(each.count for each in quality.bins) == rows.sum()
    assert groups[MAIN].slope.value is not None
    assert groups[MAIN].slope.high is not None
    assert groups[MAIN].slope.high < 1  # the noise makes it overconfident


def test_shadows_have_the_labels_of_their_originals_but_no_reward(simulated: Simulated) -> None:
    shadow = found(simulated.report())[Group("delay-3", "next", "shadow")]
    assert (shadow.answers, shadow.labelled, shadow.rewarded) == (200, 200, 0)
    assert shadow.auc.value == pytest.approx(roc_auc_score(simulated.label[::2], simulated.score[::2]))


def test_arms_are_compared_to_the_baseline(simulated: Simulated) -> None:
    said = simulated.report(baseline="main")
    assert said.baseline == MAIN
    compared = dict(said.differences)
    difference = compared[CANARY]["auc"]
    groups = found(said)
    assert difference.value == pytest.approx(groups[CANARY].auc.value - groups[MAIN].auc.value)  # type: ignore[operator]
    assert difference.low is not None
    assert difference.low > 0
    fewer = compared[Group("delay-1", "main", "fallback")]
    assert "too little data" in str(fewer["base_rate"].note)
    with pytest.raises(LogInvalid, match="no answers of arm 'other'; there are canary, main, next"):
        simulated.report(baseline="other")


def test_windows_add_up(simulated: Simulated) -> None:
    hours = simulated.report(window="hour")
    assert {group.start for group, _ in hours.groups} == {"2026-01-01T12:00Z", "2026-01-01T13:00Z"}
    whole = found(simulated.report())
    for name in (MAIN, CANARY):
        parts = [q for g, q in hours.groups if (g.arm, g.kind) == (name.arm, name.kind)]
        assert sum(part.labelled for part in parts) == whole[name].labelled
    for (group, one), (other, two) in zip(hours.differences, simulated.report().differences, strict=True):
        assert group == other
        assert [each.low for each in one.values()] == pytest.approx([each.low for each in two.values()])
    assert {group.start for group, _ in simulated.report(window="day").groups} == {"2026-01-01T00:00Z"}


def test_weights_are_inverse_propensities(simulated: Simulated) -> None:
    quality = found(simulated.report(weighted=True))[MAIN]
    rows = ~simulated.canary & ~simulated.fallback
    weights = np.where(np.arange(COUNT) % 3, 2.0, 4.0)[rows]
    expected = roc_auc_score(simulated.label[rows], simulated.score[rows], sample_weight=weights)
    assert quality.auc.value == pytest.approx(expected)
    assert quality.base_rate.value == pytest.approx(np.average(simulated.label[rows], weights=weights))


def test_what_cannot_be_measured_says_so(tmp_path: Path) -> None:
    records = [record(f"p{n}", score=float(n), propensity=None if n else 0.5, decision=f"d{n}") for n in range(5)]
    log = write_log(tmp_path / "log", records)
    file = write_csv(tmp_path / "l.csv", "prediction_id,label", [(f"p{n}", n % 2) for n in range(5)])
    with joining(LogSource([log]), LabelFile(str(file))) as join:
        said = report(join, Wanted())
    text = "\n".join([*report_text.table(said), *report_text.compared(said), *report_text.notes(said)])
    assert "too little data: 2 positives, 10 needed: AUC of delay-1 main answer" in text
    assert "scores are no probabilities: Brier of delay-1 main answer" in text
    assert "no positive decision is known: precision" in text
    assert "reward" not in text
    with joining(LogSource([log]), LabelFile(str(file))) as join:
        said = report(join, Wanted(weighted=True))
    assert (said.unweighted, said.groups[0][1].answers) == (4, 1)
    assert "4 answers without one are left out" in "\n".join(report_text.notes(said))


def test_answers_to_the_same_entity_are_not_independent(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    score = rng.random(100)
    late = rng.random(100) < score
    records = [record(f"p{n}", score=float(score[n % 100]), entity_id=f"e{n % 100}") for n in range(300)]
    log = write_log(
        tmp_path / "log", [{**each, "entity_id": None} if n < 3 else each for n, each in enumerate(records)]
    )
    file = write_csv(tmp_path / "l.csv", "prediction_id,label", [(f"p{n}", int(late[n % 100])) for n in range(300)])
    with joining(LogSource([log]), LabelFile(str(file))) as join:
        said = report(join, Wanted())
    quality = said.groups[0][1]
    assert (quality.labelled, quality.entities) == (300, 103)
    widths = [quality.base_rate.high - quality.base_rate.low]  # type: ignore[operator]
    alone = share(late.astype(float))
    assert widths[0] == pytest.approx(alone.high - alone.low, rel=0.1)  # type: ignore[operator]
    assert "entities repeat (up to 2.9 labels each, delay-1 main answer): intervals are of entities" in "\n".join(
        report_text.notes(said)
    )


def test_a_sampled_log_is_weighed(tmp_path: Path) -> None:
    records = [record(f"p{n}", score=0.5, sample_rate=0.25 if n % 2 else 1.0) for n in range(100)]
    log = write_log(tmp_path / "log", records)
    file = write_csv(tmp_path / "l.csv", "prediction_id,label", [(f"p{n}", n % 2) for n in range(100)])
    with joining(LogSource([log]), LabelFile(str(file))) as join:
        said = report(join, Wanted())
    assert said.groups[0][1].base_rate.value == pytest.approx(0.8)
    assert "the log keeps a sample: answers weigh 1 / sample_rate" in report_text.notes(said)
    with joining(LogSource([log]), LabelFile(str(file))) as join:
        (_, rows), *_ = Answers(join).groups(None, None, weighted=True)
    assert rows.weights is not None
    assert sorted(set(rows.weights)) == pytest.approx([1 / 0.9, 4 / 0.9])


def test_nothing_to_measure(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "l.csv", "prediction_id,label", [("p1", 1)])
    with joining(LogSource([write_log(tmp_path / "log", [])]), LabelFile(str(file))) as join:
        said = report(join, Wanted())
    assert report_text.table(said) == ["no answers"]
    assert join.counts.unknown == 1


def test_labels_must_be_0_or_1(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", [record("p1")])
    file = write_csv(tmp_path / "l.csv", "prediction_id,label", [("p1", 2.5)])
    with (
        joining(LogSource([log]), LabelFile(str(file))) as join,
        pytest.raises(LogInvalid, match="is neither 0 nor 1"),
    ):
        report(join, Wanted())
