"""A typed workflow behind the real application, for the tests of what the prediction port answers."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import BaseModel, Field
from tests.integration.runtime.process import serving
from tests.integration.runtime.wire import LIMITS, Wire, wire

from turnout_runtime.config import Serving
from turnout_runtime.feedback.keep import FeedbackLog
from turnout_runtime.feedback.record import Records
from turnout_runtime.predict.build import dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.serve.api.api import Api
from turnout_runtime.serve.api.feedback import Keeper
from turnout_runtime.serve.http1 import Limits
from turnout_runtime.serve.metrics.feedback import FeedbackCounts
from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.serve.served import Served
from turnout_runtime.workflow import Context, Decision, Workflow

PREDICT = "/v1/demo/delay/predict"
FEEDBACK = "/v1/demo/delay/feedback"


class Flight(BaseModel):
    carrier: str = Field(max_length=8)
    minutes: int = Field(ge=0, le=1000)
    distance: float = Field(default=100.0, ge=0, le=20_000)
    kind: Literal["cargo", "people"] = "people"


class Delay(BaseModel):
    minutes: float


class Delays(Workflow[Flight, Delay]):
    """How late a flight will be."""

    feature_names = ("minutes", "distance")
    decisions = ("late", "on_time")

    def features(self, ctx: Context[Flight]) -> list[float]:
        return [float(ctx.input.minutes), ctx.input.distance]

    async def predict(self, ctx: Context[Flight], features: Any) -> float:
        return float(features[0]) / 1000

    async def decide(self, ctx: Context[Flight], score: float) -> AsyncIterator[Any]:
        carrier = getattr(ctx.input, "carrier", "")  # precomputed features come without a context
        if carrier == "!hang":
            await asyncio.sleep(60)
        if carrier in ("!chunks", "!breaks"):
            for part in range(3):
                yield {"part": part}
        if carrier in ("!fails", "!breaks"):
            raise ValueError("s3cret")
        yield Decision("late" if score > 0.015 else "on_time", score, 1.0, details=Delay(minutes=score * 1000))


class Kept:
    """What feedback's segments are to their log; `error` is raised instead, while `go` is clear nothing moves."""

    longest = 50_000

    def __init__(self) -> None:
        self.blocks: list[list[dict[str, Any]]] = []
        self.error: OSError | None = None
        self.go = threading.Event()
        self.go.set()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for block in self.blocks for row in block]

    def append(self, lines: Sequence[bytes]) -> int:
        assert self.go.wait(10)
        if self.error is not None:
            raise self.error
        self.blocks.append([json.loads(line) for line in lines])
        return sum(map(len, lines))


class Pod:
    """The application, and what it left behind; `phase` may be set."""

    def __init__(self, **limits: Any) -> None:
        self.predictions: list[Prediction] = []
        self.readiness = Readiness(Phase.READY)
        self.serving = Serving.model_validate(serving(**limits))
        self.plane = dataplane(Delays(), {}, self.serving, "delay-1", self.predictions.append)
        served = Served("demo", "delay-model", "delay-1", self.serving.max_body_bytes, self.serving.concurrency)
        self.served = served
        self.kept, self.counts = Kept(), FeedbackCounts()
        self.feedback = FeedbackLog(self.kept, 100_000)
        keeper = Keeper(self.feedback, Records("demo", "delay-1"), self.counts)
        self.api = Api(self.plane, self.readiness, served, keeper)
        self.begin, self.answer, self.refuse = self.api.begin, self.api.answer, self.api.refuse


@contextmanager
def pod(limits: Limits = LIMITS, **serving_limits: Any) -> Iterator[tuple[Wire, Pod]]:
    """A pod's application on a port."""
    with wire(limits, lambda: Pod(**serving_limits)) as made:
        yield made, made.app
        assert made.call(made.app.feedback.close, 5.0)
