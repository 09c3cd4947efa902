"""A workflow without a model: what a start costs at least."""

from turnout_runtime.workflow import Context, Decision, Workflow


class Plain(Workflow):
    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision("approve", score, 1.0)
