"""Rows of the flight example as the real runtime logs them: both arms, in the shares of the example's policy."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
import orjson
from benchmarks.harness.openloop import offer
from benchmarks.harness.places import Cores
from benchmarks.log import flights
from tests.cluster.progress import step

from turnout_runtime.log.read import rows as rows_of

SEGMENT = 64 * 2**20
"""Bytes: the operator's default for predictionLog.rotate.size."""
_CONNECTIONS = {flights.MAIN: 32, flights.CHALLENGER: 8}  # the registry carries no more
KNOWN = 0.9
"""Share of facts that are live or cached in the example, at least: one plane in seven is unknown."""
_PATIENCE = 120.0
_FILES = 4096
_LOOKED_AT = 50_000


def pods(cores: Cores, rows: int) -> dict[str, Path]:
    """Each arm's log directory, together with so many rows; its pod has ended."""
    return {arm: _log(cores, f"flights-{arm}", arm, round(rows * share)) for arm, share in flights.SHARES.items()}


def lines(pods: Mapping[str, Path], most: int) -> Iterator[bytes]:
    """Some of the rows, of each arm its share, without the newline."""
    for arm, directory in pods.items():
        each = (line for piece in rows_of(directory) for line in piece.splitlines())
        yield from islice(each, round(most * flights.SHARES[arm]))


def known(pods: Mapping[str, Path]) -> float | None:
    """The share of facts in the rows that are live or cached: a store that fails makes other rows, and smaller ones."""
    facts = [fact for line in lines(pods, _LOOKED_AT) for fact in orjson.loads(line)["facts"].values()]
    return sum(fact["source"] in ("live", "cache") for fact in facts) / len(facts) if facts else None


def _log(cores: Cores, name: str, arm: str, rows: int) -> Path:
    asked = flights.questions(rows, name)
    needs_facts = arm == flights.CHALLENGER
    with (
        step(f"{rows:,} requests to the arm {arm}"),
        flights.facts(cores.load) if needs_facts else nullcontext() as facts,
        flights.server(
            name,
            cores.server,
            arm,
            serving=flights.SERVING[arm],
            facts=facts,
            log={"maxFileBytes": SEGMENT, "maxFiles": _FILES},
        ) as server,
    ):
        server.ready(asked[0])
        outcomes = offer(server.port, server.messages(asked), np.zeros(rows), _CONNECTIONS[arm], patience=_PATIENCE)
        if failed := rows - len(outcomes.having(200)):
            raise RuntimeError(f"{failed} of {rows} requests to {name} failed")
        return server.records
