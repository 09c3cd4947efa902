"""The workflow of the benchmark as a user of Turnout writes it: a typed request, features, the model, a decision."""

from fraud import WIDTH, decision, features
from pydantic import BaseModel

from turnout_runtime.workflow import Context, Decision, Workflow


class Payment(BaseModel):
    amount: float
    country: str
    device: str
    history: list[float]


class Fraud(Workflow[Payment]):
    model = "fraud"
    feature_names = tuple(f"f{number}" for number in range(WIDTH))

    def features(self, ctx: Context) -> list[float]:
        payment = ctx.input
        return features(payment.amount, payment.country, payment.device, payment.history)

    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision(decision(score), score, abs(2 * score - 1))
