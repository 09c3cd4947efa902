"""What is measured, one phase after the other; each fills its part of the results."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.control.cluster import MERGE, until
from benchmarks.control.load import in_parallel, open_loop
from benchmarks.control.processes import OperatorProcess, Snapshot
from benchmarks.control.watch import Watch
from benchmarks.control.workload import (
    NAMESPACE,
    Object,
    arms,
    deployment_name,
    model_deployment,
    policy_name,
    routing_policy,
)

from turnout_operator.kube.client import Api
from turnout_operator.kube.resources import MODEL_DEPLOYMENTS, ROUTING_POLICIES

CLIENTS = 16
QUIET_SECONDS = 2.0
START_SECONDS = 5.0  # for a start with nothing to reconcile, which nothing else shows the end of


@dataclass(frozen=True)
class Bench:
    """What every phase works with: the API, how many objects of each kind there are, and what the client sees."""

    api: Api
    objects: int
    model_deployments: Watch
    policies: Watch
    deployments: Watch


@dataclass(frozen=True)
class Work:
    """What an operator spent on something."""

    cpu: float
    requests: dict[str, int]

    @classmethod
    def between(cls, before: Snapshot, after: Snapshot) -> "Work":
        return cls(after.cpu - before.cpu, after.since(before))


@dataclass
class Creation:
    """Seconds until all children were applied and until all were ready, from the first object on."""

    applied: float
    ready: float
    work: Work


@dataclass
class Updates:
    """Latencies of single changes (seconds) and what they cost."""

    latencies: list[float] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)


@dataclass(frozen=True)
class Restart:
    """Seconds from the start of the process until everything was reconciled, and the writes it made meanwhile."""

    seconds: float
    writes: dict[str, int]


async def settled(operator: OperatorProcess, quiet: float = QUIET_SECONDS) -> Snapshot:
    """Wait until the operator has had nothing to write for a while."""
    last, since = await operator.snapshot(), time.monotonic()

    async def is_quiet() -> bool:
        nonlocal last, since
        now = await operator.snapshot()
        if now.written != last.written or now.waiting:
            last, since = now, time.monotonic()
        return time.monotonic() - since > quiet

    await until(is_quiet, 180, f"{operator.name} to come to rest")
    return await operator.snapshot()


async def begin(bench: Bench, operator: OperatorProcess) -> None:
    """Start an operator and wait until it has made all that exists its own."""
    operator.start()
    await reconciled(bench, operator)
    await settled(operator, QUIET_SECONDS if bench.model_deployments.objects else START_SECONDS)


async def reconciled(bench: Bench, operator: OperatorProcess) -> None:
    """Wait until an operator that was just started has reconciled everything once."""
    wanted = {
        MODEL_DEPLOYMENTS.kind: len(bench.model_deployments.objects),
        ROUTING_POLICIES.kind: len(bench.policies.objects),
    }

    async def all_reconciled() -> bool:
        now = await operator.snapshot()
        return not now.waiting and all(now.reconciles.get(kind, 0) >= count for kind, count in wanted.items())

    await until(all_reconciled, 180, "everything to be reconciled", every=0.02)


async def create(bench: Bench, operator: OperatorProcess) -> Creation:
    """Create all objects as fast as the API server takes them."""
    before, started = await operator.snapshot(), time.monotonic()

    async def send(number: int) -> None:
        post = bench.api.request
        await post("POST", MODEL_DEPLOYMENTS.path(NAMESPACE), body=model_deployment(number))
        await post("POST", ROUTING_POLICIES.path(NAMESPACE), body=routing_policy(number, bench.objects))

    await in_parallel(CLIENTS, bench.objects, send)

    async def all_applied() -> bool:
        return len(bench.deployments.objects) >= bench.objects

    async def all_ready() -> bool:
        return bench.model_deployments.count(_is_ready) >= bench.objects

    await until(all_applied, 180, "all children", every=0.05)
    applied = time.monotonic() - started
    await until(all_ready, 300, "all ModelDeployments to be ready", every=0.05)
    ready = time.monotonic() - started
    return Creation(applied, ready, Work.between(before, await settled(operator)))


async def update(
    bench: Bench, operator: OperatorProcess, rate: float, numbers: Sequence[int], replicas: int
) -> Updates:
    """Scale ModelDeployments, `rate` a second, each until the client sees its child scaled."""

    async def change(index: int) -> float:
        return await scale(bench, numbers[index], replicas)

    before = await settled(operator)
    latencies = await open_loop(rate, len(numbers), change)
    return Updates(latencies, [Work.between(before, await settled(operator))])


async def scale(bench: Bench, number: int, replicas: int) -> float:
    """Scale one ModelDeployment; returns when its Deployment was."""
    name = deployment_name(number)
    seen = bench.deployments.when(name, lambda obj: bool(obj["spec"]["replicas"] == replicas))
    path = MODEL_DEPLOYMENTS.path(NAMESPACE, name)
    await bench.api.request("PATCH", path, body={"spec": {"replicas": replicas}}, content_type=MERGE)
    return await seen


async def restart(bench: Bench, operator: OperatorProcess, quiet: float = QUIET_SECONDS) -> Restart:
    """Stop and start the operator while nothing changes."""
    await settled(operator)
    await operator.stop()
    started = time.monotonic()
    operator.start()
    await reconciled(bench, operator)
    seconds = time.monotonic() - started
    done = await settled(operator, quiet)
    return Restart(seconds, done.writes)


async def reweigh(bench: Bench, number: int, challenger: int) -> float:
    """Change a policy's split; returns when its status said that every gateway confirmed it."""
    name = policy_name(number)
    seen = bench.policies.when(name, lambda obj: observed(obj) == challenger)
    body = {"spec": {"arms": arms(number, bench.objects, challenger)}}
    await bench.api.request("PATCH", ROUTING_POLICIES.path(NAMESPACE, name), body=body, content_type=MERGE)
    return await seen


def observed(policy: Object) -> float | None:
    """The challenger's confirmed share in percent."""
    told = {arm["name"]: arm.get("observedWeight") for arm in policy.get("status", {}).get("arms", ())}
    return told.get("challenger")


def _is_ready(md: Object) -> bool:
    status = md.get("status", {})
    return bool(status.get("latestReadyRevision") and status.get("readyReplicas", 0) >= md["spec"]["replicas"])
