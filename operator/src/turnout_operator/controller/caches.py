"""Everything the operator knows of the cluster, and who must look again when something changes."""

from dataclasses import dataclass, field
from typing import NamedTuple

from turnout_operator.kube.resources import (
    CHILDREN,
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    MODEL_DEPLOYMENTS,
    PODS,
    ROUTING_POLICIES,
    Object,
    Resource,
)
from turnout_operator.kube.store import Key, Store
from turnout_operator.plan.revision import DEPLOYMENT_LABEL, REVISION_LABEL, SPEC_KEY

SELECTOR = DEPLOYMENT_LABEL
"""Label selector of all that belongs to a ModelDeployment."""


class WorkKey(NamedTuple):
    """One object to reconcile."""

    kind: str
    namespace: str
    name: str


def owner_of(obj: Object) -> list[Key]:
    """The ModelDeployment that a child, pod or slice belongs to."""
    name = obj["metadata"].get("labels", {}).get(DEPLOYMENT_LABEL)
    return [Key(obj["metadata"]["namespace"], name)] if name else []


def is_owned_by(obj: Object, uid: str) -> bool:
    """True unless the object belongs to a former ModelDeployment of the same name and is about to be collected."""
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences", ()))


def revision_of(obj: Object) -> str:
    """The revision that a child, pod or slice belongs to; empty for what belongs to all of them."""
    return str(obj["metadata"].get("labels", {}).get(REVISION_LABEL, ""))


def revision_key(obj: Object) -> Key:
    """Namespace and revision of a child, pod or slice."""
    return Key(obj["metadata"]["namespace"], revision_of(obj))


def objective_of(policy: Object) -> list[Key]:
    """Namespace and objective of a RoutingPolicy."""
    meta = policy["metadata"]
    return [Key(meta["namespace"], policy["spec"].get("objective") or meta["name"])]


def arm_targets(policy: Object) -> set[Key]:
    """The ModelDeployments that a RoutingPolicy names, in spec or status."""
    namespace = policy["metadata"]["namespace"]
    arms = [*policy["spec"].get("arms", ()), *(policy.get("status") or {}).get("arms", ())]
    return {Key(namespace, arm["modelDeployment"]) for arm in arms}


def without_managed_fields(obj: Object) -> Object:
    """Drop what nobody here reads and takes most of the memory."""
    obj["metadata"].pop("managedFields", None)
    return obj


def _trimmed_config_map(config_map: Object) -> Object:
    """Of a revision's record only what `plan.revision` reads: the object is immutable and never compared."""
    without_managed_fields(config_map)
    if not revision_of(config_map):
        return config_map
    data = config_map.get("data") or {}
    return {"metadata": config_map["metadata"], "data": {SPEC_KEY: data.get(SPEC_KEY, "")}}


_POD_STATUS = ("conditions", "containerStatuses", "initContainerStatuses", "podIP")


def _trimmed_pod(pod: Object) -> Object:
    """Only what `plan.failures`, `plan.batch_run` and `log_watch` read."""
    meta, status = pod["metadata"], pod.get("status", {})
    kept = ("namespace", "name", "uid", "resourceVersion", "labels", "creationTimestamp")
    return {
        "metadata": {name: meta[name] for name in kept if name in meta},
        "spec": {"nodeName": pod["spec"].get("nodeName")},
        "status": {name: status[name] for name in _POD_STATUS if name in status},
    }


def _child_store(resource: Resource) -> Store:
    trim = _trimmed_config_map if resource is CONFIG_MAPS else without_managed_fields
    return Store({"owner": owner_of}, trim)


def _policy_store() -> Store:
    return Store({"objective": objective_of, "target": arm_targets}, without_managed_fields)


def _pod_store() -> Store:
    return Store({"owner": owner_of}, _trimmed_pod)


def _slice_store() -> Store:
    return Store({"revision": lambda slice_: [revision_key(slice_)]}, without_managed_fields)


@dataclass(frozen=True)
class Caches:
    """One store a resource; `children` are those of `kube.resources.CHILDREN`."""

    model_deployments: Store = field(default_factory=lambda: Store(trim=without_managed_fields))
    routing_policies: Store = field(default_factory=_policy_store)
    children: dict[Resource, Store] = field(default_factory=lambda: {kind: _child_store(kind) for kind in CHILDREN})
    pods: Store = field(default_factory=_pod_store)
    slices: Store = field(default_factory=_slice_store)

    def store(self, resource: Resource) -> Store:
        """The store of a resource."""
        return {
            **self.children,
            MODEL_DEPLOYMENTS: self.model_deployments,
            ROUTING_POLICIES: self.routing_policies,
            PODS: self.pods,
            ENDPOINT_SLICES: self.slices,
        }[resource]

    @property
    def deployments(self) -> Store:
        """The Deployments of all revisions."""
        return self.children[DEPLOYMENTS]
