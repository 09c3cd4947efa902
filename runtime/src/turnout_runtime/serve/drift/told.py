"""Sketches of several processes as those of one pod, and in Prometheus' text."""

import logging
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from turnout_runtime.serve.drift.begin import DriftMetrics
from turnout_runtime.sketches.document import Sketches, document, merged, parse

_log = logging.getLogger("turnout.drift")


def together(documents: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """What processes of one pod told, as one; None where none did."""
    found: dict[str, Any] | None = None
    sketches: Sketches = {}
    for one in documents:
        try:
            sketches = merged(sketches, parse(one))
        except ValueError as error:  # columns that go by the first row may be numbers here and texts there
            _log.warning("the sketches of a process are left out", extra={"error": str(error)})
            continue
        if found is None:
            found = dict(one)
        else:
            found["since"], found["until"] = min(found["since"], one["since"]), max(found["until"], one["until"])
    return None if found is None else {**found, **document(sketches)}


def metrics_of(told: dict[str, Any]) -> bytes:
    """The metrics of such a document, as Prometheus reads them."""
    reference = parse(told["reference"]) if told["reference"] else {}
    sketches = parse(told)
    registry = CollectorRegistry()
    registry.register(DriftMetrics(lambda: (sketches, reference)))
    return generate_latest(registry)
