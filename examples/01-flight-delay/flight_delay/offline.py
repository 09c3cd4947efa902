"""Run a bundle's workflow over past flights: its own fetch and features, with fact tables in place of the stores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flight_delay.data import Flight
from flight_delay.facts import Table
from turnout_runtime.facts import FactRule, Facts, Found, NoSuchKey, Scope
from turnout_runtime.workflow import Context, Request, Workflow

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TableSource:
    """A fact source that answers at once, from a table."""

    table: Table

    def get(self, key: str, scope: Scope) -> Found:
        """See `turnout_runtime.facts.FactSource`."""
        if key not in self.table:
            raise NoSuchKey(key)
        return Found(self.table[key])


@dataclass(frozen=True)
class Snapshot:
    """All facts as they were, and what the deployment declares to stand in for a missing one."""

    tables: Mapping[str, Table]
    fallbacks: Mapping[str, dict[str, Any]]

    def rules(self) -> dict[str, FactRule]:
        """What a deployment's `spec.facts` would become."""
        return {name: FactRule(TableSource(table), 1.0, self.fallbacks[name]) for name, table in self.tables.items()}


def feature_rows(workflow: Workflow, flights: Iterable[Flight], snapshot: Snapshot) -> Rows:
    """[flights, features] float32, one row per flight in the given order."""
    rules = snapshot.rules()
    return np.stack([_features(workflow, _context(workflow, flight, rules)) for flight in flights])


def settled_facts(workflow: Workflow, flight: Flight, snapshot: Snapshot) -> dict[str, Any]:
    """The facts that the workflow fetches for a flight, by name; None where there is none."""
    ctx = _context(workflow, flight, snapshot.rules())
    _fetch(workflow, ctx)
    return {name: fact.value if fact.source == "live" else None for name, fact in ctx.facts.settled.items()}


def _features(workflow: Workflow, ctx: Context[Any]) -> Rows:
    _fetch(workflow, ctx)
    return np.asarray(workflow.features(ctx))


def _context(workflow: Workflow, flight: Flight, rules: Mapping[str, FactRule]) -> Context[Any]:
    assert workflow.context_model is not None
    asked = workflow.context_model.model_validate(flight.context())
    request = Request("", flight.entity_id, {}, flight.context())
    return Context(request, Facts(rules, Scope(0, lambda: 1.0)), lambda: 1.0, input=asked)


def _fetch(workflow: Workflow, ctx: Context[Any]) -> None:
    # The tables answer at once, so a workflow that only fetches facts never suspends, and needs no event loop.
    fetching = workflow.fetch(ctx)
    if fetching is not None and next(iter(fetching.__await__()), None) is not None:
        raise RuntimeError(f"{type(workflow).__name__}.fetch waits for more than facts, which the past cannot answer")
