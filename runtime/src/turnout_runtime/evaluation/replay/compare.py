"""What another bundle changes: pairs of records in, one comparison out."""

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Any

from turnout_runtime.evaluation.records import Record
from turnout_runtime.evaluation.replay.player import Pair
from turnout_runtime.evaluation.replay.slices import Slices

ANSWER = (
    *("status", "error_type", "decision", "score", "confidence", "explanations_ref", "details"),
    *("fallback_used", "fallback", "fallback_reason", "features", "passes"),
)
"""The fields of a record that are the bundle's doing: equal in all of them is equal bit for bit."""


@dataclass(frozen=True, slots=True)
class Example:
    """One request that was answered differently; pairs are (logged, replayed)."""

    prediction_id: str
    decision: tuple[str, str | None]
    score: tuple[float, float | None]
    error: str | None
    features: dict[str, tuple[float | None, float | None]]


@dataclass(slots=True)
class FeatureChange:
    """In how many records a feature has another value, and by how much at most (of those that are numbers in both)."""

    records: int = 0
    largest: float = 0.0


@dataclass(slots=True)
class Comparison:
    """All pairs so far. Scores are of the pairs that have an answer in both.

    `decisions` and `fallbacks` count those that are others now, as (logged, replayed).
    `mended` were errors in the log and are answered now. `errors` are those of the replay, by type, with the text of
    the first one in `texts`.
    """

    kept: int = 5
    pairs: int = 0
    answered: int = 0
    agreed: int = 0
    identical: int = 0
    mended: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    texts: dict[str, str] = field(default_factory=dict)
    decisions: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    fallbacks: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    scores: "tuple[array[float], array[float]]" = field(default_factory=lambda: (array("d"), array("d")))
    features: dict[str, FeatureChange] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    slices: Slices = field(default_factory=Slices)
    logged_ms: "array[float]" = field(default_factory=lambda: array("d"))
    _worst: list[tuple[bool, float, int, Example]] = field(default_factory=list)

    def add(self, pair: Pair) -> None:
        """Take one pair."""
        logged, replayed = pair.logged, pair.replayed
        self.pairs += 1
        self.identical += all(logged.get(name) == replayed.get(name) for name in ANSWER)
        self.unknown.update(pair.unknown)
        if replayed["error_type"] is not None:
            self.errors[replayed["error_type"]] += 1
            self.texts.setdefault(replayed["error_type"], f"{replayed['error']} ({logged.get('prediction_id')})")
        if logged.get("decision") is None:
            self.mended += replayed["decision"] is not None
            return
        changed = self._features(logged.get("features"), replayed["features"])
        self._answer(logged, replayed, changed)

    @property
    def disagreement(self) -> float:
        """The share of the logged answers whose decision is another one now, or an error."""
        return (self.answered - self.agreed) / self.answered if self.answered else 0.0

    def worst(self) -> list[Example]:
        """The requests that changed most: other decisions first, then the largest change of the score."""
        return [example for *_, example in sorted(self._worst, key=lambda item: item[:3], reverse=True)]

    def _answer(self, logged: Record, replayed: Record, changed: dict[str, Any]) -> None:
        decision, score = (logged["decision"], replayed["decision"]), (logged["score"], replayed["score"])
        agrees = decision[0] == decision[1]
        self.answered += 1
        self.agreed += agrees
        shift = 0.0
        if score[1] is not None:
            shift = score[1] - score[0]
            self.scores[0].append(score[0])
            self.scores[1].append(score[1])
        if not agrees:
            self.decisions[decision] += 1
        if (fallback := (logged.get("fallback"), replayed["fallback"])) and fallback[0] != fallback[1]:
            self.fallbacks[fallback] += 1
        self.slices.add(logged, agrees, shift)
        self.logged_ms.append(_own_time(logged.get("stages_ms") or {}))
        if not agrees or shift or changed:
            error = replayed["error"] and f"{replayed['error_type']}: {replayed['error']}"
            example = Example(logged["prediction_id"], decision, score, error, changed)
            item = (not agrees, abs(shift), -self.pairs, example)  # of equal ones the first
            if len(self._worst) < self.kept:
                heappush(self._worst, item)
            elif self.kept:
                heappushpop(self._worst, item)

    def _features(self, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> dict[str, Any]:
        """The features that differ; both ways have to have some, else it is their absence that is told elsewhere."""
        if not before or not now:
            return {}
        if before == now:
            return {}
        found = {}
        for name in before.keys() | now.keys():
            pair = before.get(name), now.get(name)
            if pair[0] != pair[1] or (name in before) != (name in now):
                found[name] = pair
                change = self.features.setdefault(name, FeatureChange())
                change.records += 1
                if isinstance(pair[0], int | float) and isinstance(pair[1], int | float):
                    change.largest = max(change.largest, abs(pair[1] - pair[0]))
        return dict(sorted(found.items()))


def _own_time(stages: Mapping[str, float | None]) -> float:
    """Milliseconds that the pod itself spent: without the queue, and without waiting for facts."""
    own = stages.get("total") or 0.0
    for wait in ("facts", "queue"):
        own -= stages.get(wait) or 0.0
    return own
