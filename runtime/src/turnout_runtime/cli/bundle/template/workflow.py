"""Will this flight leave late? A first workflow: change it step by step, and serve it with `turnout bundle run`."""

from pydantic import BaseModel, Field

from turnout_runtime import Context, Decision, Features, Workflow


class Flight(BaseModel):
    """What a caller sends as `context`: checked before the workflow sees it, and served as OpenAPI."""

    carrier: str = Field(min_length=2, max_length=3, examples=["UA"])
    hour: int = Field(ge=0, le=23, description="Hour of the scheduled departure", examples=[17])
    distance: float = Field(gt=0, description="Miles", examples=[1400.0])


class FlightDelay(Workflow[Flight]):
    """Says whether a flight will leave late."""  # callers read this in the OpenAPI document

    feature_names = ("hour", "distance")
    decisions = ("late", "on_time")  # what `decide` may answer

    def features(self, ctx: Context[Flight]) -> dict[str, float]:
        """The numbers that a model would see; every one is in the prediction log."""
        return {"hour": float(ctx.input.hour), "distance": ctx.input.distance}

    def predict(self, ctx: Context[Flight], features: Features) -> float:
        """A score of 0 to 1. Delete this method and name a `model` to let a trained one answer."""
        rush = 0.25 if 16 <= ctx.input.hour <= 20 else 0.0
        return 0.3 + rush + min(ctx.input.distance, 2500.0) / 50_000.0

    def decide(self, ctx: Context[Flight], score: float) -> Decision:
        """The business answer."""
        decision = "late" if score >= 0.5 else "on_time"
        return Decision(decision, score, confidence=max(score, 1.0 - score))
