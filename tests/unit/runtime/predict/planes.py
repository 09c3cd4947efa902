"""A dataplane over a workflow that does to itself what each request's context asks for."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from turnout_runtime.config import Serving
from turnout_runtime.facts import FactRule, Found, Scope
from turnout_runtime.models.model import Loaded, Model
from turnout_runtime.predict.build import dataplane
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Context, Decision, Features, Workflow

ROUTE = Route("obj", arm="main", policy_version="v1", propensity=0.9)


class Flow(Workflow):
    """Adds one to the context's `x`; `sleep`, `raise` and `block` name a stage and what happens there."""

    model = "m"
    feature_names = ("x",)

    async def fetch(self, ctx: Context) -> None:
        await act(ctx, "fetch")
        if "fact" in ctx.request.context:
            await ctx.facts.fetch(f=ctx.request.context["fact"])

    async def features(self, ctx: Context) -> Features:  # type: ignore[override]
        await act(ctx, "features")
        return [ctx.request.context["x"]]

    async def predict(self, ctx: Context, features: Features) -> float:
        await act(ctx, "predict")
        return await self.score(ctx, features)

    async def decide(self, ctx: Context, score: float) -> Decision:
        await act(ctx, "decide")
        if step := ctx.request.context.get("step"):
            ctx.fallback(step)
        return Decision("yes" if score > 1 else "no", score, 0.5, fallback_used=ctx.request.context.get("flag", False))


async def act(ctx: Context, stage: str) -> None:
    if stage in (sleep := ctx.request.context.get("sleep", {})):
        await asyncio.sleep(sleep[stage])
    if ctx.request.context.get("raise") == stage:
        raise KeyError("secret detail")


class Streaming(Flow):
    async def decide(self, ctx: Context, score: float) -> AsyncIterator[Any]:  # type: ignore[override]
        for item in ctx.request.context.get("chunks", ()):
            yield item
        await act(ctx, "decide")
        yield Decision("done", score, 1.0)


class Slow:
    """A fact source that answers after as many seconds as its key says; `never` for none at all."""

    def get(self, key: str, scope: Scope) -> "asyncio.Future[Found]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()
        if key != "never":
            loop.call_later(float(key), lambda: future.done() or future.set_result(Found({"v": key})))
        return future


RULES = {"f": FactRule(Slow(), 5.0, {"v": "fallback"})}


def serving(**overrides: Any) -> Serving:
    limits = {"concurrency": 4, "maxQueueDepth": 4, "maxQueueWaitSeconds": 1.0, "timeoutSeconds": 2.0}
    return Serving.model_validate({**limits, "drainSeconds": 0.0, **overrides})


def plane(seen: list[Prediction], flow: Workflow | None = None, **limits: Any) -> Dataplane:
    flow = flow or Flow()
    flow.models = {"m": Model("m", Path("m"), Loaded(lambda rows: [float(row[0]) + 1.0 for row in rows], 1))}
    return dataplane(flow, RULES, serving(**limits), "flow-1a2b3c4d", seen.append)


def body(request_id: str | None = None, **context: Any) -> bytes:
    document = {"context": {"x": 1.0, **context}}
    return json.dumps(document if request_id is None else {**document, "request_id": request_id}).encode()


def with_default(cls: Callable[[], Workflow] = Flow) -> Workflow:
    flow = cls()
    flow.safe_default = Decision("safe", 0.0, 0.0)
    return flow
