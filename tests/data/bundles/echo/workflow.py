"""Answers with what the request asks for; no model, no facts unless they are asked for."""

import asyncio

from turnout_runtime.workflow import Context, Decision, Workflow


class Echo(Workflow):
    async def fetch(self, ctx: Context) -> None:
        await ctx.facts.fetch(**ctx.request.context.get("facts", {}))
        await asyncio.sleep(ctx.request.context.get("sleep", 0))

    def decide(self, ctx: Context, score: float) -> Decision:
        context = ctx.request.context
        if "raise" in context:
            raise ValueError(context["raise"])
        return Decision(
            decision=str(context.get("decision", "echo")), score=float(context.get("score", score)), confidence=1.0
        )
