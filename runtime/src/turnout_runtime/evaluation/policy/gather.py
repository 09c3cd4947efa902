"""Records with rewards as what the estimators take."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.evaluation.policy.estimate import Logged, Numbers
from turnout_runtime.evaluation.policy.rewards import Rewards
from turnout_runtime.evaluation.records import Record, at


@dataclass(slots=True)
class Sample:
    """Records that have an action, its propensity, and a reward; `dropped` counts by reason those that lack one."""

    actions: list[str] = field(default_factory=list)
    propensities: list[float] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    entities: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def logged(self, actions: Sequence[str]) -> Logged:
        """The rows, their actions by place in `actions`, clustered by entity; raises `EvaluationInvalid` for none."""
        if not self.actions:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "there are none"
            raise EvaluationInvalid(f"no record has an action, its propensity and a reward ({reasons})")
        places = {name: place for place, name in enumerate(actions)}
        return Logged(
            np.array([places[action] for action in self.actions], np.int64),
            np.array(self.propensities),
            np.array(self.rewards),
            np.unique(self.entities, return_inverse=True)[1].astype(np.int64),
        )

    def predicted(self, rewards: Rewards, actions: Sequence[str]) -> Numbers | None:
        """What the supplied model expects of each action, (n, k); None unless it knows all actions."""
        if not set(actions) <= rewards.predicted.keys():
            return None
        return np.array([[rewards.predicted[action][key] for action in actions] for key in self.ids])


def gather(
    records: Iterable[Record],
    rewards: Rewards,
    action: Sequence[str],
    propensity: Sequence[str],
    kept: list[Record] | None = None,
) -> Sample:
    """The sample; `action` and `propensity` are paths into a record, `kept` gets its records in the same order."""
    sample = Sample()
    for record in records:
        chosen, chance = at(record, action), at(record, propensity)
        reward = rewards.by_id.get(record.get("prediction_id") or "")
        if reward is None:
            sample.dropped["without a reward"] += 1
        elif not isinstance(chosen, str):
            sample.dropped[f"without {'.'.join(action)}"] += 1
        elif not isinstance(chance, int | float) or not 0 < chance <= 1:
            sample.dropped[f"without a {'.'.join(propensity)} above 0"] += 1
        else:
            _take(sample, record, chosen, chance, reward)
            if kept is not None:
                kept.append(record)
    return sample


def _take(sample: Sample, record: Record, action: str, propensity: float, reward: float) -> None:
    sample.actions.append(action)
    sample.propensities.append(propensity)
    sample.rewards.append(reward)
    sample.ids.append(record["prediction_id"])
    sample.entities.append(f"e{record['entity_id']}" if record.get("entity_id") else f"p{record['prediction_id']}")
