"""Has a Triton beside it add four numbers; the repository with the model is part of the bundle."""

from turnout_runtime.workflow import Context, Decision, Workflow


class Sum(Workflow):
    model = "sum"
    feature_names = ("a", "b", "c", "d")

    def features(self, ctx: Context) -> list[float]:
        return [float(ctx.request.context[name]) for name in self.feature_names]

    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision(decision="summed", score=score, confidence=1.0)
