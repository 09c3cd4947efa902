"""What stickiness costs: Envoy's CPU time per request by where the entity's id is, kinds taking turns in rounds.

`python -m benchmarks.routing.sticky [ROUNDS]`. A trivial upstream runs in this process, which is not measured.
"""

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import BODY, COOKIE, HEADER, new_world, policy

REQUESTS = 600
CLIENTS = 8
HALF = {"a": 5_000, "b": 5_000}
MANY = "; ".join(f"name{number}={'x' * 30}" for number in range(40))


@dataclass(frozen=True)
class Kind:
    """A way to ask: the objective, and what a request of entity `id` has. `beside` is the kind it is compared with."""

    objective: str
    request: Callable[[str], dict[str, Any]]
    beside: str = "nothing"


def _body(size: int) -> Callable[[str], dict[str, Any]]:
    """Mostly numbers, of 10 bytes each."""
    return lambda entity: {"json": {"customer": {"id": entity}, "features": [0.123456] * ((size - 50) // 10)}}


KINDS = {
    "nothing": Kind("none", lambda _: {}),
    "header": Kind("header", lambda entity: {"headers": {"x-entity-id": entity}}),
    "cookie": Kind("cookie", lambda entity: {"headers": {"cookie": f"theme=dark; customer={entity}"}}, "header"),
    "header, 1.6 kB of cookies": Kind("header", lambda entity: {"headers": {"x-entity-id": entity, "cookie": MANY}}),
    "cookie after 1.6 kB of cookies": Kind(
        "cookie", lambda entity: {"headers": {"cookie": f"{MANY}; customer={entity}"}}, "header, 1.6 kB of cookies"
    ),
} | {
    f"{name}, {size} B": Kind(objective, _body(size), beside.format(size))
    for size in (150, 4_000, 30_000)
    for name, objective, beside in (("body unread", "none", "nothing"), ("body field", "body", "body unread, {} B"))
}


async def main(rounds: int) -> None:
    """Print the median of each kind, and of its difference to the kind beside it, with quartiles."""
    spent: dict[str, list[float]] = {name: [] for name in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        async with new_world(Path(folder)) as world:
            await world.start_pods("a", "b")
            stickies = {"none": None, "header": HEADER, "cookie": COOKIE, "body": BODY}
            await world.serve(*(policy(name, HALF, sticky=sticky) for name, sticky in stickies.items()))
            envoy = await world.start_envoy()
            for number in range(-1, rounds):  # the first warms
                for name, kind in KINDS.items():
                    cost = await _cost(envoy, kind)
                    spent[name] += [cost] if number >= 0 else []
    for name, kind in KINDS.items():
        more = sorted(one - other for one, other in zip(spent[name], spent[kind.beside], strict=True))
        low, middle, high = statistics.quantiles(more, n=4)
        print(
            f"{name:32} {statistics.median(spent[name]):7.1f} µs"
            f"  {middle:+7.1f} ({low:+.1f} to {high:+.1f}) beside {kind.beside}"
        )


async def _cost(envoy: Envoy, kind: Kind) -> float:
    """Envoy's CPU time per request, in µs."""

    async def client(first: int) -> None:
        for number in range(first, REQUESTS, CLIENTS):
            status, _ = await envoy.predict(kind.objective, **kind.request(f"c-{number}"))
            assert status == 200

    before = _cpu(envoy.pid)
    await asyncio.gather(*map(client, range(CLIENTS)))
    return (_cpu(envoy.pid) - before) / REQUESTS / 1_000


def _cpu(pid: int) -> int:
    """CPU time of all threads, in ns; /proc/PID/stat counts in ticks of 10 ms."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((tasks / task / "schedstat").read_text().split()[0]) for task in os.listdir(tasks))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
