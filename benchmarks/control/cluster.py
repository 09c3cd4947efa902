"""The cluster around the benchmark: made ready before, put back after, also after a run that was killed."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import yaml
from benchmarks.control.processes import Process
from benchmarks.control.workload import LABEL, NAMESPACE, SYSTEM, Object, namespace, nodes
from tests.cluster import programs
from tests.cluster.paths import CHECKOUT, State
from tests.cluster.progress import say

from turnout_operator.kube.client import Api
from turnout_operator.kube.errors import Conflict, NotFound
from turnout_operator.kube.resources import DEPLOYMENTS, MODEL_DEPLOYMENTS, PODS, ROUTING_POLICIES, Resource

NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
NODES = Resource("", "v1", "nodes", "Node")
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
MERGE = "application/merge-patch+json"
RELEASE = {"labelSelector": "app.kubernetes.io/name=turnout,app.kubernetes.io/component=operator"}
PAUSED = f"{LABEL}-replicas"  # annotation: what to scale a paused operator back to
KUBECONFIG = State().kubeconfig


@contextlib.asynccontextmanager
async def prepared(api: Api) -> AsyncIterator[None]:
    """CRDs, fake nodes and an empty namespace of our own; no other operator at work. All put back at the end."""
    kwok = _kwok()
    kwok.start()
    try:
        await clean(api)
        await _install_crds(api)
        await _pause_release(api)
        for node in nodes():
            await api.request("POST", NODES.path(), body=node)
        for name in (SYSTEM, NAMESPACE):
            await api.request("POST", NAMESPACES.path(), body=namespace(name))
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):  # from here on only patience helps
            asyncio.get_running_loop().add_signal_handler(number, say, "putting the cluster back, please wait")
        try:
            await clean(api)
        finally:
            await kwok.stop()


async def clean(api: Api) -> None:
    """Remove everything of this or an earlier run, and let a paused operator run again."""
    try:
        for name in (NAMESPACE, SYSTEM):
            await remove_namespace(api, name)
        await api.request("DELETE", NODES.path(), query={"labelSelector": f"{LABEL}=fake"})
    finally:
        await _resume_release(api)


async def renew(api: Api) -> None:
    """An empty namespace again."""
    await remove_namespace(api, NAMESPACE)
    await api.request("POST", NAMESPACES.path(), body=namespace(NAMESPACE))


async def remove_namespace(api: Api, name: str) -> None:
    """Delete a namespace with all that is in it, and wait until it has gone."""
    try:
        await api.request("DELETE", NAMESPACES.path(None, name))
    except NotFound:
        return
    except Conflict:
        pass  # it is being deleted already

    async def gone() -> bool:
        try:
            await api.request("GET", NAMESPACES.path(None, name))
        except NotFound:
            return True
        return False

    await until(gone, 300, f"namespace {name} to go")


async def until(check: Callable[[], Awaitable[bool]], seconds: float, what: str, every: float = 0.25) -> None:
    """Wait for `check`; raises TimeoutError that says what was waited for."""
    try:
        async with asyncio.timeout(seconds):
            while not await check():
                await asyncio.sleep(every)
    except TimeoutError:
        raise TimeoutError(f"waited {seconds:g} s for {what}") from None


def _kwok() -> Process:
    flags = {
        "kubeconfig": KUBECONFIG,
        "config": Path(__file__).parent / "stages.yaml",
        "manage-nodes-with-label-selector": f"{LABEL}=fake",
        "cidr": "10.250.0.0/16",
        "node-lease-duration-seconds": 40,
    }
    return Process("kwok", [str(programs.build(programs.KWOK)), *(f"--{k}={v}" for k, v in flags.items())])


async def _install_crds(api: Api) -> None:
    """Those that the cluster lacks; they stay, as the chart's do."""
    known = {item["metadata"]["name"] for item in (await api.request("GET", CRDS.path()))["items"]}
    for file in sorted((CHECKOUT / "crds").glob("*.yaml")):
        crd: Object = yaml.safe_load(file.read_text())
        if crd["metadata"]["name"] not in known:
            await api.request("POST", CRDS.path(), body=crd)
    await until(lambda: _served(api), 30, "the CRDs to be served")


async def _served(api: Api) -> bool:
    try:
        for resource in (MODEL_DEPLOYMENTS, ROUTING_POLICIES):
            await api.request("GET", resource.path(), query={"limit": "1"})
    except NotFound:
        return False
    return True


async def _releases(api: Api) -> list[Object]:
    found: list[Object] = (await api.request("GET", DEPLOYMENTS.path(), query=RELEASE))["items"]
    return found


async def _pause_release(api: Api) -> None:
    """Two operators at once would fight; the installed one makes way."""
    for live in await _releases(api):
        await _scale(api, live, 0, str(live["spec"]["replicas"]))

    async def no_pods() -> bool:
        return not (await api.request("GET", PODS.path(), query=RELEASE))["items"]

    await until(no_pods, 60, "the installed operator to end")


async def _resume_release(api: Api) -> None:
    for live in await _releases(api):
        before = live["metadata"].get("annotations", {}).get(PAUSED)
        if before is not None:
            await _scale(api, live, int(before), None)


async def _scale(api: Api, live: Object, replicas: int, remembered: str | None) -> None:
    meta = live["metadata"]
    body = {"metadata": {"annotations": {PAUSED: remembered}}, "spec": {"replicas": replicas}}
    await api.request("PATCH", DEPLOYMENTS.path(meta["namespace"], meta["name"]), body=body, content_type=MERGE)
