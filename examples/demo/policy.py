"""The RoutingPolicy as kubectl shows it: what is wanted, and what every Envoy has acknowledged."""

import asyncio
import json
import shlex
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from demo.example import NAMESPACE, POLICY
from demo.shell import environment, kubectl


@dataclass(frozen=True)
class State:
    """Percent per arm; an arm's observed weight is None until every connected Envoy has acknowledged it."""

    version: str
    wanted: dict[str, float]
    observed: dict[str, float | None]
    gateways: int
    seen: float

    @classmethod
    def of(cls, manifest: str) -> "State":
        """Read a RoutingPolicy's JSON; `seen` is now, on the monotonic clock."""
        status = json.loads(manifest).get("status", {})
        arms = status.get("arms", [])
        return cls(
            version=status.get("policyVersion", ""),
            wanted={arm["name"]: arm["desiredWeight"] for arm in arms},
            observed={arm["name"]: arm.get("observedWeight") for arm in arms},
            gateways=status.get("gateways", {}).get("acked", 0),
            seen=time.monotonic(),
        )

    def has(self, weights: dict[str, float]) -> bool:
        """Whether every connected Envoy serves these weights."""
        return self.observed == weights


def current() -> State:
    """The policy now."""
    return State.of(kubectl("get", "routingpolicy", POLICY, "-n", NAMESPACE, "-o", "json"))


def patch_command(challenger: int) -> tuple[str, ...]:
    """What a user types to give the challenger another weight; main takes the rest."""
    change = [{"op": "replace", "path": "/spec/arms/1/weight", "value": challenger}]
    return ("kubectl", "patch", "routingpolicy", POLICY, "-n", NAMESPACE, "--type=json", "-p", json.dumps(change))


def shown(command: tuple[str, ...]) -> str:
    """The command as one would type it."""
    return shlex.join(command)


@asynccontextmanager
async def watching() -> AsyncIterator["Watch"]:
    """Follow the policy with `kubectl get --watch`, from its present state on."""
    command = ("kubectl", "get", "routingpolicy", POLICY, "-n", NAMESPACE, "--watch", "-o", "jsonpath={@}{'\\n'}")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=environment(), limit=2**20
    )
    assert process.stdout is not None
    try:
        yield Watch(process.stdout)
    finally:
        process.terminate()
        await process.wait()


class Watch:
    """States of the policy as they arrive."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines

    async def until(self, fits: Callable[[State], bool], seconds: float) -> State:
        """The first state from here on that fits; TimeoutError when none does in time."""
        async with asyncio.timeout(seconds):
            while line := await self._lines.readline():
                if fits(state := State.of(line.decode())):
                    return state
        raise TimeoutError("kubectl stopped watching the RoutingPolicy")
