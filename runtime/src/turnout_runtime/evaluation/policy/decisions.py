"""A candidate's decisions as a policy.

The gateway drew an arm, not a decision. How probable a decision was is known when it is known what every arm would have
decided: it is the sum of the propensities of the arms that decide so. Rewards must then be the decision's doing,
whichever arm took it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.errors import EvaluationInvalid, TooLittleOverlap
from turnout_runtime.evaluation.layout import percent
from turnout_runtime.evaluation.policy.estimate import Numbers
from turnout_runtime.evaluation.records import Record
from turnout_runtime.evaluation.replay.player import player

_ALLOWED = 0.01  # share of the requests that may be odd before the estimate is of something else
_ROUNDING = 0.01  # how far propensities of all arms may be from 1 together
NO_DECISION = "(error)"

Decisions = Sequence[str]


def decisions_of(bundle: str, digest: str | None, records: Sequence[Record], progress: Progress = quiet) -> list[str]:
    """What a bundle decides on records that are all replayable; `NO_DECISION` where it fails. Raises a `StartError`."""
    found: list[str] = []
    with player(bundle, digest, progress) as playing, progress("replaying", len(records), " requests") as tell:
        for pair in playing.play(records):
            found.append(pair.replayed["decision"] or NO_DECISION)
            tell(1)
    return found


def propensities_of(decisions: Decisions, records: Sequence[Record], by_arm: Mapping[str, Decisions]) -> Numbers:
    """How probable a decision was on each record, given what every arm decides there.

    Raises `EvaluationInvalid` when the decisions of an arm with traffic are missing.
    """
    shares, found = _shares(records), np.zeros(len(records))
    for row, record in enumerate(records):
        for arm, share in shares[str(record.get("policy_version"))].items():
            if arm not in by_arm:
                raise EvaluationInvalid(f"the log has requests of arm {arm!r}: give its bundle, --arm {arm}=DIR")
            if by_arm[arm][row] == decisions[row]:
                found[row] += share
    capped: Numbers = np.minimum(found, 1.0)
    return capped


def logged_propensities(records: Sequence[Record], by_arm: Mapping[str, Decisions]) -> Numbers:
    """Those of the logged decisions; 0 where the bundle of a record's own arm decides something else than the log.

    Raises `EvaluationInvalid` when that is often so.
    """
    found = propensities_of([record["decision"] for record in records], records, by_arm)
    for row, record in enumerate(records):
        if by_arm[record["arm"]][row] != record["decision"]:
            found[row] = 0.0
    odd = float(np.mean(found == 0))
    if odd > _ALLOWED:
        raise EvaluationInvalid(
            f"in {percent(odd)} of the requests the arm's bundle decides something else than the log says: give the"
            " bundles that were running"
        )
    return found


def check_support(propensities: Numbers) -> None:
    """Raise `TooLittleOverlap` when the candidate decides what no arm would have: nobody knows how that ends.

    `propensities` are those of its decisions.
    """
    alone = float(np.mean(propensities == 0))
    if alone > _ALLOWED:
        raise TooLittleOverlap(
            f"in {percent(alone)} of the requests the candidate decides what no arm would have decided (at most"
            f" {percent(_ALLOWED)} may): make it an arm with a small weight, and let it earn its own rewards"
        )


def decision_target(candidate: Decisions, actions: Sequence[str]) -> Numbers:
    """Probability 1 for the candidate's decision on each row: (rows, actions)."""
    target: Numbers = (np.array(candidate)[:, None] == np.array(actions)[None, :]).astype(np.float64)
    return target


def _shares(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Each policy version's propensities by arm; raises `EvaluationInvalid` where they are not those of one split."""
    found: dict[str, dict[str, float]] = {}
    for record in records:
        version, arm, share = str(record.get("policy_version")), record.get("arm"), record["propensity"]
        if not isinstance(arm, str):
            raise EvaluationInvalid("a record has no arm: narrow it with --where arm!=null")
        if found.setdefault(version, {}).setdefault(arm, share) != share:
            raise EvaluationInvalid(
                f"policy version {version} has several propensities of arm {arm!r}: narrow it by time"
            )
    for version, shares in found.items():
        if abs(sum(shares.values()) - 1) > _ROUNDING:
            raise EvaluationInvalid(
                f"policy version {version}: the arms of the log ({', '.join(sorted(shares))}) have"
                f" {percent(sum(shares.values()))} of the traffic: take more of the log, or another version (--where"
                " policy_version!=…)"
            )
    return found
