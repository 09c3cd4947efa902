"""What a workflow returns."""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Generic

import orjson
from pydantic import BaseModel
from typing_extensions import TypeVar

from turnout_runtime.errors import WorkflowError
from turnout_runtime.text import encodable

DetailsT = TypeVar("DetailsT", default=Any)


@dataclass(frozen=True, slots=True)
class Decision(Generic[DetailsT]):
    """The business answer to one request.

    `score` and `confidence` are finite numbers in the workflow's own units (usually a probability, 0..1).
    `explanations_ref` is a reference that the caller may resolve later. `fallback_used` says that the answer rests on
    a fallback; facts that came from one set it in the response by themselves. `details` is the workflow's own part of
    the answer, an instance of the model that it declares.
    """

    decision: str
    score: float
    confidence: float
    explanations_ref: str | None = None
    fallback_used: bool = False
    details: DetailsT | None = None


class Contract:
    """What the workflow declared about its decisions: `decisions` are the strings allowed (none: any)."""

    __slots__ = ("_allowed", "_details")

    def __init__(self, decisions: tuple[str, ...] = (), details: type[BaseModel] | None = None) -> None:
        self._allowed = frozenset(decisions)
        self._details = details

    def checked(self, decision: object) -> Decision:
        """The decision with plain floats, and its details as JSON holds them under the names of their schema.

        Raises `WorkflowError` for what is no decision, or not as declared.
        """
        if not isinstance(decision, Decision):
            raise WorkflowError(f"decide() returned {type(decision).__name__}, not a Decision")
        if self._allowed:
            if decision.decision not in self._allowed:
                raise WorkflowError(f"Decision.decision is {decision.decision!r}; declared are {sorted(self._allowed)}")
        else:
            check_text("Decision.decision", decision.decision)
        if decision.explanations_ref is not None:
            check_text("Decision.explanations_ref", decision.explanations_ref)
        if decision.details is not None:
            decision = replace(decision, details=self._written(decision.details))
        score, confidence = decision.score, decision.confidence
        if type(score) is float and type(confidence) is float and isfinite(score) and isfinite(confidence):
            return decision
        return replace(
            decision, score=finite("Decision.score", score), confidence=finite("Decision.confidence", confidence)
        )

    def _written(self, details: Any) -> Any:
        if self._details is None:
            raise WorkflowError("Decision.details: the workflow declares no model for it: class …(Workflow[In, Out])")
        if not isinstance(details, self._details):
            raise WorkflowError(f"Decision.details is {type(details).__name__}, not {self._details.__name__}")
        try:
            return orjson.loads(details.model_dump_json(by_alias=True))
        except ValueError as error:
            raise WorkflowError(f"Decision.details cannot be written as JSON: {error}") from None


def check_text(name: str, value: object) -> None:
    """Raise `WorkflowError` for what is no string that JSON can hold."""
    if not isinstance(value, str):
        raise WorkflowError(f"{name} is {type(value).__name__}, not a string")
    if not encodable(value):
        raise WorkflowError(f"{name} has lone surrogates, which JSON cannot hold")


def finite(name: str, value: object) -> float:
    """The value as a float; raises `WorkflowError` for what is not a finite number."""
    try:
        number = float(value)  # type: ignore[arg-type]  # numpy's scalars are welcome; the except names the others
    except (TypeError, ValueError):
        raise WorkflowError(f"{name} is {type(value).__name__}, not a number") from None
    except OverflowError:
        raise WorkflowError(f"{name} is too large for a float") from None
    if not isfinite(number):
        raise WorkflowError(f"{name} is {number}, not a finite number")
    return number
