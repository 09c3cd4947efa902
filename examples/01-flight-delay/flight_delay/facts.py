"""The facts by key, for training; and the weather as Redis holds it: one JSON object per key."""

import json
from collections.abc import Iterator
from typing import Any

from flight_delay.data import planes, weather

Table = dict[str, dict[str, Any]]


def tables() -> dict[str, Table]:
    """Fact name -> key -> value, for the fact names of manifests/21-challenger.yaml."""
    return {"weather": dict(weather()), "plane": dict(planes())}


def redis_commands(table: Table) -> Iterator[bytes]:
    """SET commands in the Redis protocol for the weather, the input of `redis-cli --pipe`."""
    for key, value in table.items():
        yield command("SET", f"weather:{key}", json.dumps(value, separators=(",", ":")))


def command(*words: str) -> bytes:
    """One command in RESP: an array of bulk strings."""
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()
