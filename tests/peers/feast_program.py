"""Runs in Feast's own environment, beside a test that hurts the store: `python feast_program.py FOLDER CONFIG COMMAND`.

`fill` makes a feature store and writes rows; `wrong` prints why undeclared features stop a start; `read KEY…` prints
the facts under the keys; `watch SECONDS` prints, all the time, how the fact under `1` was settled. Output: JSON lines.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from turnout_runtime.config import FactConfig
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts import Fact, Facts, Scope
from turnout_runtime.facts.connect import FactStores, connect

OBSERVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REQUEST_TIMEOUT = 0.5


def fill(folder: Path, config: str) -> None:
    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
    from feast.types import Float32, Int64

    store = FeatureStore(config=RepoConfig(**yaml.safe_load(config)))
    rows = pd.DataFrame({"driver_id": [1, 2], "rate": [0.5, 0.25], "trips": [7, None], "ts": [OBSERVED, OBSERVED]})
    rows.to_parquet(folder / "rows.parquet")
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    source = FileSource(name="rows", path=str(folder / "rows.parquet"), timestamp_field="ts")
    fields = [Field(name="driver_id", dtype=Int64), Field(name="rate", dtype=Float32), Field(name="trips", dtype=Int64)]
    views = [
        FeatureView(name=name, entities=[driver], schema=fields, source=source, ttl=timedelta(days=36500))
        for name in ("stats", "other")
    ]
    store.apply([driver, *views])
    for view in views:
        store.write_to_online_store(view.name, rows)


def _fact(config: str, *features: str, join_key: str = "driver_id") -> FactConfig:
    location = {"config": config, "features": features, "joinKey": join_key}
    declared = {"feast": location, "timeoutSeconds": 0.2, "fallback": {"rate": 0}, "breaker": {"resetSeconds": 0.5}}
    return FactConfig.model_validate(declared)


def _connect(config: str) -> FactStores:
    declared = {"f": _fact(config, "stats:rate", "stats:trips"), "both": _fact(config, "stats:rate", "other:rate")}
    return connect(declared, REQUEST_TIMEOUT)


async def _ask(stores: FactStores, name: str, key: str) -> Fact:
    request = Facts(stores.rules, Scope(int((OBSERVED.timestamp() + 60) * 1e9), lambda: REQUEST_TIMEOUT))
    await request.fetch(**{name: key})
    return request.settled[name]


def _say(fact: Fact, **more: Any) -> None:
    fields = {"value": fact.value, "source": fact.source, "age_ms": fact.age_ms, "reason": fact.reason}
    print(json.dumps({**fields, **more}), flush=True)


async def read(config: str, keys: list[str]) -> None:
    stores = _connect(config)
    await stores.warm()
    for fact in await asyncio.gather(*(_ask(stores, "f", key) for key in keys)):
        _say(fact)
    _say(await _ask(stores, "both", keys[0]))
    await stores.close()


async def wrong(config: str) -> None:
    for fact in (_fact(config, "gone:x"), _fact(config, "stats:gone"), _fact(config, "stats:rate", join_key="gone")):
        try:
            await connect({"f": fact}).warm()
        except ConfigInvalid as error:
            print(json.dumps({"error": str(error)}), flush=True)


async def watch(config: str, seconds: float) -> None:
    stores = _connect(config)
    await stores.warm()
    deadline = time.monotonic() + 60
    while (await _ask(stores, "f", "1")).source != "live" and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    ends = time.monotonic() + seconds
    while (began := time.monotonic()) < ends:
        fact = await _ask(stores, "f", "1")
        _say(fact, at=time.time(), took=time.monotonic() - began)
        await asyncio.sleep(0.01)
    await stores.close()


if __name__ == "__main__":
    where, declared, command, *arguments = sys.argv[1:]
    match command:
        case "fill":
            fill(Path(where), declared)
        case "read":
            asyncio.run(read(declared, arguments))
        case "wrong":
            asyncio.run(wrong(declared))
        case "watch":
            asyncio.run(watch(declared, float(arguments[0])))
