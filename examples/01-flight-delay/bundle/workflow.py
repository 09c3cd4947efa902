"""Will this flight arrive more than 15 minutes late? The workflow of both bundles, in training as in serving.

`Schedule` knows only what the request says. `ScheduleWeatherPlane` also fetches two facts while the request runs.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, Field

from turnout_runtime.workflow import Context, Decision, Workflow

LATE_FROM = 0.35  # a false alarm costs about half of a missed delay
ORIGINS = {"EWR": 0.0, "JFK": 1.0, "LGA": 2.0}
WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "visib", "pressure")
MAX_WIND_MPH = 80.0  # the data holds one impossible reading of 1,048
UNKNOWN = float("nan")  # the model has learnt what a missing value is worth

Fact = Mapping[str, Any] | None


class Flight(BaseModel):
    """What is known when a flight is scheduled: the `context` of a request."""

    carrier: Annotated[str, Field(pattern=r"^[0-9A-Z]{2}$", examples=["UA"])]
    flight: Annotated[int, Field(ge=1, le=9999, examples=[1545])]
    origin: Literal["EWR", "JFK", "LGA"]
    dest: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["IAH"])]
    tailnum: Annotated[str, Field(max_length=10, examples=["N14228"])] | None = None
    scheduled_departure: Annotated[AwareDatetime, Field(examples=["2013-12-24T17:15-05:00"])]


class Basis(BaseModel):
    """Where the facts behind an answer came from: live, cache, stale, fallback, or missing."""

    weather: str
    plane: str


class Schedule(Workflow[Flight, Basis]):
    """The champion: carrier, route and time of departure."""

    model = "delay"
    decisions = ("late", "on_time")
    feature_names: tuple[str, ...] = ("carrier_late_rate", "dest_late_rate", "origin", "minute_of_day", "weekday")

    def setup(self, models: Any) -> None:
        """Read the late rates that training counted; they travel inside the bundle."""
        self.rates = json.loads(self.artifacts["rates"].read_text())

    def features(self, ctx: Context[Flight]) -> np.ndarray:
        return np.array(self.schedule(ctx.input), dtype=np.float32)

    def decide(self, ctx: Context[Flight], score: float) -> Decision[Basis]:
        decision = "late" if score >= LATE_FROM else "on_time"
        return Decision(decision=decision, score=score, confidence=max(score, 1.0 - score))

    def rules(self, ctx: Context[Flight], error: Exception) -> Decision[Basis]:
        """Without a model: how often flights to this destination are late."""
        return self.decide(ctx, self.rates["dest"].get(ctx.input.dest, self.rates["overall"]))

    def schedule(self, flight: Flight) -> list[float]:
        departure, overall = flight.scheduled_departure, self.rates["overall"]
        return [
            self.rates["carrier"].get(flight.carrier, overall),
            self.rates["dest"].get(flight.dest, overall),
            ORIGINS[flight.origin],
            departure.hour * 60.0 + departure.minute,
            float(departure.weekday()),
        ]


class ScheduleWeatherPlane(Schedule):
    """The challenger: the same, plus the weather at the origin and the aircraft's age and size."""

    feature_names = (*Schedule.feature_names, *WEATHER, "plane_age", "plane_seats")

    async def fetch(self, ctx: Context[Flight]) -> None:
        flight = ctx.input
        await ctx.facts.fetch(
            weather=weather_key(flight.origin, flight.scheduled_departure), plane=flight.tailnum or None
        )

    def features(self, ctx: Context[Flight]) -> np.ndarray:
        weather, plane = weather_row(ctx.facts["weather"]), plane_row(ctx.facts["plane"], ctx.input.scheduled_departure)
        return np.array(self.schedule(ctx.input) + weather + plane, dtype=np.float32)

    def decide(self, ctx: Context[Flight], score: float) -> Decision[Basis]:
        decision, facts = super().decide(ctx, score), ctx.facts.settled
        basis = Basis(**{name: facts[name].source if name in facts else "missing" for name in ("weather", "plane")})
        return Decision(decision.decision, decision.score, decision.confidence, details=basis)


def weather_key(origin: str, departure: datetime) -> str:
    """The airport and the UTC hour of the scheduled departure, e.g. EWR:2013-07-01T09Z."""
    return f"{origin}:{departure.astimezone(UTC):%Y-%m-%dT%HZ}"


def weather_row(fact: Fact) -> list[float]:
    row = [_number(fact, name) for name in WEATHER]
    wind = WEATHER.index("wind_speed")
    row[wind] = min(row[wind], MAX_WIND_MPH)  # NaN stays: no comparison with it is true
    return row


def plane_row(fact: Fact, departure: datetime) -> list[float]:
    return [departure.year - _number(fact, "year"), _number(fact, "seats")]


def _number(fact: Fact, name: str) -> float:
    value = (fact or {}).get(name)
    return UNKNOWN if value is None else float(value)
