"""The order of the phases: both operators take turns on the same objects, so that both meet the same cluster."""

import argparse
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

from benchmarks.control import processes
from benchmarks.control.cluster import KUBECONFIG, renew, until
from benchmarks.control.gateway import envoy
from benchmarks.control.load import open_loop
from benchmarks.control.phases import Bench, begin, create, observed, restart, reweigh, settled, update
from benchmarks.control.processes import OperatorProcess
from benchmarks.control.rows import Results, Side
from benchmarks.control.takeover import stand_by, take_over
from benchmarks.control.watch import Watch
from benchmarks.control.workload import Object
from tests.cluster.progress import step

from turnout_operator.kube.client import Api
from turnout_operator.kube.resources import DEPLOYMENTS, MODEL_DEPLOYMENTS, ROUTING_POLICIES
from turnout_operator.plan.revision import DEPLOYMENT_LABEL

WEIGHT_RATE = 5.0
RECONNECT_SECONDS = 12.0  # after this without a gateway's answer the operator reports it missing
HTTP_PORTS, XDS_PORTS, ADMIN_PORT = (18181, 18182), (18191, 18192), 18195


async def phases(api: Api, folder: Path, options: argparse.Namespace, results: Results) -> None:
    """All phases in order."""
    ours = _turnout(folder, 0)
    theirs = processes.yardstick("yardstick", folder, KUBECONFIG)
    sides = ((theirs, results.yardstick), (ours, results.turnout))
    for operator, side in sides:
        with step("an empty namespace"):
            await renew(api)
        async with _following(api, options.objects) as bench, _running(bench, operator, side):
            with step(f"{operator.name}: creation of {options.objects} + {options.objects}"):
                side.creation = await create(bench, operator)
    async with _following(api, options.objects) as bench:
        for number in range(options.rounds):
            for operator, side in reversed(sides):
                await _round(bench, operator, side, options, number)
        async with _running(bench, ours, results.turnout):
            await _gateway(bench, ours, folder, options, results)


async def _round(bench: Bench, operator: OperatorProcess, side: Side, options: argparse.Namespace, number: int) -> None:
    """Changes, then a restart without any. Each operator has its own half of the objects, scaled up and down again."""
    count = min(round(options.rate * options.seconds), bench.objects // 2)
    first = 0 if operator.name == "yardstick" else bench.objects // 2
    async with _running(bench, operator, side):
        with step(f"{operator.name}: {count} changes, round {number + 1}"):
            seen = await update(bench, operator, options.rate, range(first, first + count), 2 - number % 2)
            side.updates.latencies += seen.latencies
            side.updates.work += seen.work
        with step(f"{operator.name}: restart"):
            side.restarts.append(await restart(bench, operator))


async def _gateway(
    bench: Bench, ours: OperatorProcess, folder: Path, options: argparse.Namespace, results: Results
) -> None:
    """Everything that needs an Envoy: weight changes, a restart, and the change of leaders."""
    gateway = await envoy(bench.api, folder, XDS_PORTS, ADMIN_PORT)
    gateway.start()
    standby = _turnout(folder, 1)
    try:
        with step("gateway: all policies confirmed"):
            started = time.monotonic()
            await until(lambda: _all_confirmed(bench), 120, "the gateway to confirm all policies", every=0.05)
            results.programmed = time.monotonic() - started
            await settled(ours)
        with step(f"gateway: {options.weights} weight changes"):
            results.weights = await open_loop(WEIGHT_RATE, options.weights, lambda i: _reweigh(bench, i))
        with step("gateway: restart of the operator"):
            results.gateway_restart = await restart(bench, ours, RECONNECT_SECONDS)
        with step("takeover after SIGKILL"):
            await stand_by(standby)
            results.killed = await take_over(bench, ours, standby, signal.SIGKILL)
        with step("takeover after SIGTERM"):
            await ours.stop()
            await stand_by(ours)
            results.terminated = await take_over(bench, standby, ours, signal.SIGTERM)
    finally:
        await standby.stop()
        await gateway.stop()


def _reweigh(bench: Bench, index: int) -> Coroutine[None, None, float]:
    number = index % bench.objects
    now = observed(bench.policies.objects[f"rp-{number:04d}"])
    return reweigh(bench, number, 20 if now != 20 else 25)


async def _all_confirmed(bench: Bench) -> bool:
    return bench.policies.count(lambda policy: observed(policy) is not None) >= bench.objects


def _turnout(folder: Path, number: int) -> OperatorProcess:
    ports = {"http_port": HTTP_PORTS[number], "xds_port": XDS_PORTS[number]}
    return processes.turnout(f"turnout-{number}", folder, KUBECONFIG, **ports)


@contextlib.asynccontextmanager
async def _running(bench: Bench, operator: OperatorProcess, side: Side) -> AsyncIterator[None]:
    """Start and stop; remembers the most memory it ever had."""
    try:
        await begin(bench, operator)
        yield
        if operator.alive:
            side.peak_memory = max(side.peak_memory, (await operator.snapshot()).memory["VmHWM"])
    finally:
        await operator.stop()


@contextlib.asynccontextmanager
async def _following(api: Api, objects: int) -> AsyncIterator[Bench]:
    async with contextlib.AsyncExitStack() as stack:
        follow: Callable[..., Watch] = lambda *what: Watch(api, *what)  # noqa: E731
        watches = [
            await stack.enter_async_context(watch.following())
            for watch in (follow(MODEL_DEPLOYMENTS), follow(ROUTING_POLICIES), follow(DEPLOYMENTS, _owner))
        ]
        yield Bench(api, objects, *watches)


def _owner(deployment: Object) -> str:
    return str(deployment["metadata"]["labels"][DEPLOYMENT_LABEL])
