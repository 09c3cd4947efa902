"""An answer as callers see it, whatever they called by."""

from typing import Any

from turnout_runtime.predict.prediction import Prediction


def answer(prediction: Prediction, model_version: str) -> dict[str, Any]:
    """The body of a successful prediction, JSON-able; `details` only where the decision has some."""
    request, decision = prediction.request, prediction.decision
    assert request is not None
    assert decision is not None
    body = {
        "prediction_id": prediction.prediction_id,
        "request_id": request.request_id,
        "model_version": model_version,
        "policy_version": prediction.route.policy_version,
        "score": decision.score,
        "decision": decision.decision,
        "confidence": decision.confidence,
        "explanations_ref": decision.explanations_ref,
        "fallback_used": prediction.fallback is not None,
        "fallback": prediction.fallback,
    }
    if decision.details is not None:
        body["details"] = prediction.details
    return body
