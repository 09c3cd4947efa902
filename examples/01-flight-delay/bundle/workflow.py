"""Will this flight arrive more than 15 minutes late? The workflow of both bundles, in training as in serving.

`Schedule` knows only what the request says. `ScheduleWeatherPlane` also fetches two facts while the request runs.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from turnout_runtime.errors import InvalidRequest
from turnout_runtime.workflow import Context, Decision, Workflow

LATE_FROM = 0.35  # a false alarm costs about half of a missed delay
ORIGINS = {"EWR": 0.0, "JFK": 1.0, "LGA": 2.0}
WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "visib", "pressure")
MAX_WIND_MPH = 80.0  # the data holds one impossible reading of 1,048
UNKNOWN = float("nan")  # the model has learnt what a missing value is worth

Fact = dict[str, Any] | None


class Schedule(Workflow):
    """The champion: carrier, route and time of departure."""

    model = "delay"
    feature_names: tuple[str, ...] = ("carrier_late_rate", "dest_late_rate", "origin", "minute_of_day", "weekday")

    def setup(self, models: Any) -> None:
        """Read the late rates that training counted; they travel inside the bundle."""
        self.rates = json.loads(Path(__file__).with_name("rates.json").read_text())

    def features(self, ctx: Context) -> np.ndarray:
        return np.array(self.schedule(ctx.request.context), dtype=np.float32)

    def decide(self, ctx: Context, score: float) -> Decision:
        decision = "late" if score >= LATE_FROM else "on_time"
        return Decision(decision=decision, score=score, confidence=max(score, 1.0 - score))

    def schedule(self, flight: Mapping[str, Any]) -> list[float]:
        departure, overall = parse_time(text(flight, "scheduled_departure")), self.rates["overall"]
        return [
            self.rates["carrier"].get(text(flight, "carrier"), overall),
            self.rates["dest"].get(text(flight, "dest"), overall),
            ORIGINS.get(text(flight, "origin"), UNKNOWN),
            departure.hour * 60.0 + departure.minute,
            float(departure.weekday()),
        ]


class ScheduleWeatherPlane(Schedule):
    """The challenger: the same, plus the weather at the origin and the aircraft's age and size."""

    feature_names = (*Schedule.feature_names, *WEATHER, "plane_age", "plane_seats")

    async def fetch(self, ctx: Context) -> None:
        flight = ctx.request.context
        await ctx.facts.fetch(
            weather=weather_key(text(flight, "origin"), text(flight, "scheduled_departure")),
            plane=text(flight, "tailnum") if flight.get("tailnum") else None,
        )

    def features(self, ctx: Context) -> np.ndarray:
        flight = ctx.request.context
        weather, plane = weather_row(ctx.facts["weather"]), plane_row(ctx.facts["plane"], flight["scheduled_departure"])
        return np.array(self.schedule(flight) + weather + plane, dtype=np.float32)


def text(flight: Mapping[str, Any], name: str) -> str:
    """A field that the question must have; the caller is told which one is missing."""
    value = flight.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"context.{name}: must be a string" + ("" if name in flight else ", and is missing"))
    return value


@lru_cache(maxsize=8192)
def parse_time(scheduled: str) -> datetime:
    """An ISO 8601 local time with its offset, e.g. 2013-07-01T05:15-04:00."""
    with suppress(ValueError):
        if (departure := datetime.fromisoformat(scheduled)).tzinfo:
            return departure
    raise InvalidRequest("context.scheduled_departure: must be a time with offset, like 2013-07-01T05:15-04:00")


def weather_key(origin: str, scheduled: str) -> str:
    """The airport and the UTC hour of the scheduled departure, e.g. EWR:2013-07-01T09Z."""
    return f"{origin}:{parse_time(scheduled).astimezone(UTC):%Y-%m-%dT%HZ}"


def weather_row(fact: Fact) -> list[float]:
    row = [_number(fact, name) for name in WEATHER]
    wind = WEATHER.index("wind_speed")
    row[wind] = min(row[wind], MAX_WIND_MPH)  # NaN stays: no comparison with it is true
    return row


def plane_row(fact: Fact, scheduled: str) -> list[float]:
    return [parse_time(scheduled).year - _number(fact, "year"), _number(fact, "seats")]


def _number(fact: Fact, name: str) -> float:
    value = (fact or {}).get(name)
    return UNKNOWN if value is None else float(value)
