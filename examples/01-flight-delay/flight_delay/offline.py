"""Run a bundle's workflow over past flights: its own fetch and features, with the fact tables in place of Redis."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flight_delay.data import Flight
from flight_delay.facts import Table
from turnout_runtime.facts import Fact, Facts, Scope
from turnout_runtime.workflow import Context, Request, Workflow

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Snapshot:
    """All facts as they were, and what the deployment declares to stand in for a missing one."""

    tables: Mapping[str, Table]
    fallbacks: Mapping[str, dict[str, Any]]

    def fact(self, name: str, key: str | None) -> Fact:
        value = self.tables[name].get(key or "")
        return Fact(self.fallbacks[name], "fallback", 0.0) if value is None else Fact(value, "live", 0.0)


class OfflineFacts(Facts):
    """The facts of one past request; fetching never waits, so a workflow that only fetches facts needs no loop."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__({}, Scope(0, lambda: 1.0))
        self._snapshot = snapshot

    async def fetch(self, **keys: str | None) -> None:
        self.settled.update({name: self._snapshot.fact(name, key) for name, key in keys.items()})


def feature_rows(workflow: Workflow, flights: Iterable[Flight], snapshot: Snapshot) -> Rows:
    """[flights, features] float32, one row per flight in the given order."""
    return np.stack([_features(workflow, flight, snapshot) for flight in flights])


def _features(workflow: Workflow, flight: Flight, snapshot: Snapshot) -> Rows:
    ctx = Context(Request("", flight.entity_id, {}, flight.context()), OfflineFacts(snapshot), lambda: 1.0)
    try:
        workflow.fetch(ctx).send(None)
    except StopIteration:
        return np.asarray(workflow.features(ctx))
    raise RuntimeError(f"{type(workflow).__name__}.fetch waits for more than facts, which offline data cannot answer")
