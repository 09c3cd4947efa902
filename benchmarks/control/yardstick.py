"""The yardstick: an operator on bare informers, as one writes it without a framework.

List and watch on the official client's aio transport, one keyed queue, five children a ModelDeployment by server-side
apply, a small status. No kopf, no leader election, no conditions, no failures, no rollout of revisions, no xDS. It
writes the same children as Turnout, so that both can take turns on the same objects; all else is its own.
"""

import argparse
import asyncio

import aiohttp
import uvloop
from benchmarks.control.bare import Client, Informer, Object, Queue, key_of
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from prometheus_client import Counter

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.plan.drift import HASH_ANNOTATION
from turnout_operator.plan.revision import DEPLOYMENT_LABEL, REVISION_LABEL, Revision
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import manifests

WORKERS = 16
GROUP = "/apis/serving.turnout.dev/v1alpha1"
PREFIXES = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Service": ("/api/v1", "services"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ModelDeployment": (GROUP, "modeldeployments"),
    "RoutingPolicy": (GROUP, "routingpolicies"),
}
OWN = ("ModelDeployment", "RoutingPolicy")
RECONCILES = Counter("turnout_operator_reconciles_total", "Reconciles", ["kind", "result"])


class Yardstick:
    """The operator."""

    def __init__(self, client: Client, settings: PlanSettings) -> None:
        self._client, self._settings = client, settings
        self._queue = Queue()
        self._caches = {kind: self._informer(kind) for kind in PREFIXES}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for cache in self._caches.values():
                group.create_task(cache.run())
            for cache in self._caches.values():
                await cache.synced.wait()
            for _ in range(WORKERS):
                group.create_task(self._work())

    def _informer(self, kind: str) -> Informer:
        selector = "" if kind in OWN else REVISION_LABEL
        return Informer(self._client, kind, "/".join(PREFIXES[kind]), selector, self._changed)

    def _changed(self, kind: str, obj: Object) -> None:
        namespace, name = key_of(obj)
        if kind in OWN:
            self._queue.add((kind, namespace, name))
        else:
            self._queue.add(("ModelDeployment", namespace, obj["metadata"]["labels"][DEPLOYMENT_LABEL]))

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._reconcile(*key)
                RECONCILES.labels(key[0], "ok").inc()
            except (OSError, aiohttp.ClientError, TimeoutError):
                RECONCILES.labels(key[0], "error").inc()
                asyncio.get_running_loop().call_later(1, self._queue.add, key)
            finally:
                self._queue.done(key)

    async def _reconcile(self, kind: str, namespace: str, name: str) -> None:
        obj = self._caches[kind].objects.get((namespace, name))
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            return
        status = await self._deploy(obj) if kind == "ModelDeployment" else routing_status(obj)
        if status != obj.get("status"):
            await self._report(kind, obj, status)

    async def _deploy(self, obj: Object) -> Object:
        md = ModelDeployment.model_validate(obj)
        revision = Revision.wanted(md, self._settings)
        for manifest in manifests(md, revision, md.spec.replicas, self._settings):
            live = self._caches[manifest["kind"]].objects.get(key_of(manifest))
            if live is None or not same_hash(live, manifest):
                await self._apply(manifest)
        deployment = self._caches["Deployment"].objects[revision.namespace, revision.name]
        ready = deployment.get("status", {}).get("readyReplicas", 0)
        return {
            "observedGeneration": md.metadata.generation,
            "latestRevision": revision.name,
            "replicas": deployment.get("status", {}).get("replicas", 0),
            "readyReplicas": ready,
            "selector": f"{REVISION_LABEL}={revision.name}",
            **({"latestReadyRevision": revision.name} if ready >= md.spec.replicas else {}),
        }

    async def _apply(self, manifest: Object) -> None:
        prefix, plural = PREFIXES[manifest["kind"]]
        namespace, name = key_of(manifest)
        live = await self._client.apply(f"{prefix}/namespaces/{namespace}/{plural}/{name}", manifest)
        self._caches[manifest["kind"]].put(live)

    async def _report(self, kind: str, obj: Object, status: Object) -> None:
        prefix, plural = PREFIXES[kind]
        namespace, name = key_of(obj)
        meta = {"namespace": namespace, "name": name}
        body = {"apiVersion": GROUP.removeprefix("/apis/"), "kind": kind, "metadata": meta, "status": status}
        written = await self._client.apply(f"{prefix}/namespaces/{namespace}/{plural}/{name}/status", body)
        self._caches[kind].put(written)


def routing_status(policy: Object) -> Object:
    """What a RoutingPolicy's spec says, for people."""
    weights = " ".join(f"{arm['name']}={arm.get('weight', '')}" for arm in policy["spec"]["arms"])
    objective = policy["spec"].get("objective") or policy["metadata"]["name"]
    return {"observedGeneration": policy["metadata"]["generation"], "objective": objective, "weights": weights}


def same_hash(live: Object, manifest: Object) -> bool:
    annotations = live["metadata"].get("annotations", {})
    return bool(annotations.get(HASH_ANNOTATION) == manifest["metadata"]["annotations"][HASH_ANNOTATION])


async def run(settings: PlanSettings) -> None:
    configuration = Configuration()
    await config.load_config(client_configuration=configuration)
    await Yardstick(Client(configuration), settings).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime-image", required=True)
    uvloop.run(run(PlanSettings(runtime_image=parser.parse_args().runtime_image)))


if __name__ == "__main__":
    main()
