"""The flights as a table of requests, and the facts as tables of their past: what `turnout batch` reads."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from flight_delay.data import Flight
from flight_delay.facts import Table

BEFORE_ALL = "2013-01-01T00:00:00Z"  # the registry does not say since when it knows a plane


def requests(flights: Iterable[Flight]) -> Iterator[dict[str, Any]]:
    """A row a flight: its context, whom it is about, and the moment to which the answer belongs."""
    for flight in flights:
        yield {"entity_id": flight.entity_id, "asked_at": flight.scheduled_departure, **flight.context()}


def weather(table: Table) -> Iterator[dict[str, Any]]:
    """A row an observation, under the hour in which it was made."""
    for key, values in table.items():
        yield {"key": key, "time": f"{key.split(':', 1)[1].removesuffix('Z')}:00:00Z", **values}


def planes(table: Table) -> Iterator[dict[str, Any]]:
    """A row a plane."""
    for key, values in table.items():
        yield {"key": key, "time": BEFORE_ALL, **values}


def write(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write JSON Lines; how many there are."""
    with path.open("w") as out:
        return sum(out.write(json.dumps(row, separators=(",", ":")) + "\n") > 0 for row in rows)
