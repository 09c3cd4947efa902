"""What a workflow returns."""

from dataclasses import dataclass, replace
from math import isfinite

from turnout_runtime.errors import WorkflowError


@dataclass(frozen=True, slots=True)
class Decision:
    """The business answer to one request.

    `score` and `confidence` are finite numbers in the workflow's own units (usually a probability, 0..1).
    `explanations_ref` is a reference that the caller may resolve later. `fallback_used` says that the answer rests on
    a fallback; facts that came from one set it in the response by themselves.
    """

    decision: str
    score: float
    confidence: float
    explanations_ref: str | None = None
    fallback_used: bool = False


def checked(decision: object) -> Decision:
    """The decision with plain floats; raises `WorkflowError` when it is no decision or not finite."""
    if not isinstance(decision, Decision):
        raise WorkflowError(f"decide() returned {type(decision).__name__}, not a Decision")
    _check_text("Decision.decision", decision.decision)
    if decision.explanations_ref is not None:
        _check_text("Decision.explanations_ref", decision.explanations_ref)
    score, confidence = decision.score, decision.confidence
    if type(score) is float and type(confidence) is float and isfinite(score) and isfinite(confidence):
        return decision
    return replace(
        decision, score=finite("Decision.score", score), confidence=finite("Decision.confidence", confidence)
    )


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise WorkflowError(f"{name} is {type(value).__name__}, not a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise WorkflowError(f"{name} has lone surrogates, which JSON cannot hold") from None


def finite(name: str, value: object) -> float:
    """The value as a float; raises `WorkflowError` for what is not a finite number."""
    try:
        number = float(value)  # type: ignore[arg-type]  # numpy's scalars are welcome; the except names the others
    except (TypeError, ValueError):
        raise WorkflowError(f"{name} is {type(value).__name__}, not a number") from None
    if not isfinite(number):
        raise WorkflowError(f"{name} is {number}, not a finite number")
    return number
