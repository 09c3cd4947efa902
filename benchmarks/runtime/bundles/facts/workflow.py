"""A workflow that rests on two facts: one in Redis, one behind HTTP."""

from turnout_runtime.workflow import Context, Decision, Workflow


class Account(Workflow):
    feature_names = ("limit", "risk")

    async def fetch(self, ctx: Context) -> None:
        entity = ctx.request.entity_id
        await ctx.facts.fetch(account=entity, device=entity)

    def features(self, ctx: Context) -> tuple[float, float]:
        return ctx.facts["account"]["limit"], ctx.facts["device"]["risk"]

    async def predict(self, ctx: Context, features: tuple[float, float]) -> float:
        return features[0] * features[1]

    def decide(self, ctx: Context, score: float) -> Decision:
        return Decision("approve" if score < 100 else "review", score, 1.0)
