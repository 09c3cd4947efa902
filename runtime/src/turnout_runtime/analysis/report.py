"""Quality of all groups of a log, and how arms differ."""

from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np

from turnout_runtime.analysis.groups import Answers, Group, Window
from turnout_runtime.analysis.join import Join
from turnout_runtime.analysis.quality import Quality, Rows, differences, quality
from turnout_runtime.analysis.statistics import Estimate
from turnout_runtime.errors import LogInvalid


@dataclass(frozen=True, slots=True)
class Report:
    """Groups by kind, revision, arm and window; differences of each whole group to the `baseline`.

    `unweighted` is the number of answers that were left out because they have no propensity. `sampled` says that rows
    weigh 1 / sample_rate.
    """

    groups: list[tuple[Group, Quality]]
    baseline: Group | None
    differences: list[tuple[Group, dict[str, Estimate]]]
    positive: str | None
    weighted: bool
    unweighted: int
    sampled: bool = False

    def document(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "positive_decision": self.positive,
            "weighted": self.weighted,
            "without_propensity": self.unweighted,
            "sampled": self.sampled,
            "groups": [{**asdict(group), **asdict(found)} for group, found in self.groups],
            "baseline": self.baseline and asdict(self.baseline),
            "differences": [{**asdict(group), **{name: asdict(each) for name, each in found.items()}}
                            for group, found in self.differences],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked: windows, the positive decision (None: the likelier one of two), weights, the arm to compare to."""

    window: Window | None = None
    positive: str | None = None
    weighted: bool = False
    baseline: str | None = None


def report(join: Join, wanted: Wanted) -> Report:
    """Measure everything; completes the join's counts. Raises `LogInvalid` for labels or a baseline that do not fit."""
    answers = Answers(join)
    positive = wanted.positive or answers.likely_positive()
    windows = list(answers.groups(wanted.window, positive, wanted.weighted))
    whole = [(group, quality(rows)) for group, rows in _whole(windows)]
    measured = whole if wanted.window is None else [(group, quality(rows)) for group, rows in windows]
    baseline = _baseline(whole, wanted.baseline)
    compared = [] if baseline is None else [
        (group, differences(found, baseline[1])) for group, found in whole if group != baseline[0]
    ]  # fmt: skip
    return Report(
        measured, baseline and baseline[0], compared, positive, wanted.weighted,
        answers.without_propensity() if wanted.weighted else 0, answers.sampled,
    )  # fmt: skip


def _whole(windows: list[tuple[Group, Rows]]) -> list[tuple[Group, Rows]]:
    """Groups over all their windows, which follow each other."""

    def name(pair: tuple[Group, Rows]) -> Group:
        return Group(pair[0].revision, pair[0].arm, pair[0].kind)

    return [(group, _together([rows for _, rows in parts])) for group, parts in groupby(windows, key=name)]


def _together(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    weights = [part.weights for part in parts if part.weights is not None]
    columns = {name: np.concatenate([getattr(part, name) for part in parts])
               for name in ("score", "label", "reward", "positive", "entity")}  # fmt: skip
    return Rows(**columns, weights=np.concatenate(weights) if weights else None)


def _baseline(groups: list[tuple[Group, Quality]], arm: str | None) -> tuple[Group, Quality] | None:
    """The arm's answers with the most labels; without an arm, those of any."""
    of_arm = [pair for pair in groups if pair[0].kind == "answer" and arm in (None, pair[0].arm)]
    if not of_arm and arm is not None:
        arms = ", ".join(sorted({group.arm for group, _ in groups})) or "none"
        raise LogInvalid(f"--baseline: no answers of arm {arm!r}; there are {arms}")
    return max(of_arm, key=lambda pair: pair[1].labelled + pair[1].rewarded, default=None)
