"""From records and rewards to an evaluation: of a split of arms, and of a candidate's decisions."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.evaluation.policy.decisions import (
    check_support,
    decision_target,
    decisions_of,
    logged_propensities,
    propensities_of,
)
from turnout_runtime.evaluation.policy.estimate import Logged, Numbers, estimate
from turnout_runtime.evaluation.policy.gather import Sample, gather
from turnout_runtime.evaluation.policy.overlap import check, overlap
from turnout_runtime.evaluation.policy.report import Evaluation
from turnout_runtime.evaluation.policy.rewards import Rewards
from turnout_runtime.evaluation.policy.targets import actions_of, constant_target
from turnout_runtime.evaluation.records import Record
from turnout_runtime.evaluation.replay.requests import not_replayable

_ARM, _DECISION, _PROPENSITY = ("arm",), ("decision",), ("propensity",)


@dataclass(frozen=True, slots=True)
class Demand:
    """The confidence of the intervals, and the least effective sample size."""

    level: float = 0.95
    least: float = 100.0


def evaluate_split(
    records: Iterable[Record], rewards: Rewards, shares: Mapping[str, float], name: str, demand: Demand
) -> Evaluation:
    """A policy that draws arms with the given shares; raises `EvaluationInvalid` or `TooLittleOverlap`."""
    sample = gather(records, rewards, _ARM, _PROPENSITY)
    actions = actions_of(sample.actions, shares)
    logged = sample.logged(actions)
    return _evaluated(sample, logged, constant_target(len(logged), actions, shares), actions, rewards, name, demand)


def evaluate_decisions(
    records: Iterable[Record],
    rewards: Rewards,
    candidate: str,
    arms: Mapping[str, str],
    propensity: Sequence[str] | None,
    demand: Demand,
    progress: Progress = quiet,
) -> Evaluation:
    """A policy that decides as the bundle `candidate`; `arms` has the bundle of each arm, by name.

    With `propensity`, a path into a record, the log itself has the decisions' own ones, and no arms are needed. Raises
    `EvaluationInvalid`, `TooLittleOverlap`, or a `StartError`.
    """
    if not arms and propensity is None:
        raise EvaluationInvalid(
            "the log has the propensities of arms, not of decisions: give each arm's bundle (--arm stable=DIR), or"
            " --propensity FIELD where the workflow logs its own, such as details.propensity"
        )
    kept: list[Record] = []
    unable: Counter[str] = Counter()
    sample = gather(_able(records, unable), rewards, _DECISION, propensity or _PROPENSITY, kept)
    sample.dropped += unable
    decided = decisions_of(candidate, None, kept, progress)
    actions = sorted({*sample.actions, *decided})
    logged, target = sample.logged(actions), decision_target(decided, actions)
    if propensity is None:
        by_arm = {arm: decisions_of(bundle, None, kept, progress) for arm, bundle in arms.items()}
        chances = logged_propensities(kept, by_arm)
        check_support(propensities_of(decided, kept, by_arm))
        logged = Logged(logged.action, chances, logged.reward, logged.cluster)
    return _evaluated(sample, logged, target, actions, rewards, f"decisions of {candidate}", demand)


def _able(records: Iterable[Record], unable: Counter[str]) -> Iterable[Record]:
    for record in records:
        if (reason := not_replayable(record)) is None:
            yield record
        else:
            unable[f"not replayable: {reason}"] += 1


def _evaluated(
    sample: Sample, logged: Logged, target: Numbers, actions: Sequence[str], rewards: Rewards, name: str, demand: Demand
) -> Evaluation:
    predicted = sample.predicted(rewards, actions)
    dropped = dict(sample.dropped)
    usable = logged.propensity > 0
    if odd := int(np.count_nonzero(~usable)):
        dropped["decided otherwise by the given bundle of their arm"] = odd
        logged, target = logged.only(usable), target[usable]
        predicted = None if predicted is None else predicted[usable]
    found = overlap(logged, target, actions)
    check(found, demand.least)
    model = "each action's mean reward" if predicted is None else "the predicted_ columns of the rewards"
    estimates = estimate(logged, target, predicted, level=demand.level)
    return Evaluation(name, found, estimates, dropped, demand.level, model)
