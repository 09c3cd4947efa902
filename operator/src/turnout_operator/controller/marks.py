"""Which keys become dirty when something changes: the only place that knows who depends on whom."""

from collections.abc import Callable, Iterable

from turnout_operator.controller.caches import Caches, WorkKey, arm_targets, objective_of, owner_of
from turnout_operator.controller.queue import Lane, WorkQueue
from turnout_operator.kube.resources import CHILDREN, MODEL_DEPLOYMENTS, PODS, ROUTING_POLICIES, Object, Resource
from turnout_operator.kube.store import Key, key_of
from turnout_operator.plan.routes import PolicyKey

ECHO_SECONDS = 0.1


class Marker:
    """Subscribes to the stores and, while leading, marks keys in the queue.

    A custom resource whose `metadata.generation` is new was changed by a user and goes first. What an object depended
    on before a change is marked as well as what it depends on now.
    """

    def __init__(self, caches: Caches, queue: WorkQueue[WorkKey]) -> None:
        self._caches = caches
        self._queue = queue
        self._leading = False
        caches.model_deployments.subscribe(self._model_deployment)
        caches.routing_policies.subscribe(self._routing_policy)
        for resource in (*CHILDREN, PODS):
            caches.store(resource).subscribe(self._child)

    def lead(self) -> None:
        """From now on mark; to begin with, everything."""
        self._leading = True
        self.everything()

    def everything(self) -> None:
        """Mark all custom resources, as a resync does."""
        for resource in (MODEL_DEPLOYMENTS, ROUTING_POLICIES):
            for key in list(self._caches.store(resource).keys()):
                self._mark(resource, key, Lane.ROUTINE)

    def policy(self, key: PolicyKey) -> None:
        """The gateways said something about a policy."""
        self._mark(ROUTING_POLICIES, Key(*key), Lane.URGENT)

    def model_deployment(self, key: Key) -> None:
        """The pods of a ModelDeployment said something new."""
        self._mark(MODEL_DEPLOYMENTS, key, Lane.ROUTINE)

    def _mark(self, resource: Resource, key: Key, lane: Lane) -> None:
        if self._leading:
            self._queue.add(WorkKey(resource.kind, *key), lane)

    def _mark_soon(self, resource: Resource, key: Key) -> None:
        """One look for a burst of echoes: a rollout changes a Deployment's status several times in a moment."""
        if self._leading:
            self._queue.add_after(WorkKey(resource.kind, *key), ECHO_SECONDS)

    def _model_deployment(self, new: Object | None, old: Object | None) -> None:
        lane = _lane(new, old)
        rerouted = _offer(new) != _offer(old)
        for key in _keys(new, old, lambda obj: [key_of(obj)]):
            if lane is Lane.URGENT:
                self._mark(MODEL_DEPLOYMENTS, key, lane)
            else:
                self._mark_soon(MODEL_DEPLOYMENTS, key)
            for policy in self._caches.routing_policies.find("target", key) if rerouted else ():
                self._mark(ROUTING_POLICIES, key_of(policy), lane)

    def _routing_policy(self, new: Object | None, old: Object | None) -> None:
        lane = _lane(new, old)
        for key in _keys(new, old, lambda obj: [key_of(obj)]):
            self._mark(ROUTING_POLICIES, key, lane)
        for objective in _keys(new, old, objective_of):
            for rival in self._caches.routing_policies.find("objective", objective):
                self._mark(ROUTING_POLICIES, key_of(rival), lane)
        for target in _keys(new, old, arm_targets) if _claims(new) != _claims(old) else ():
            self._mark_soon(MODEL_DEPLOYMENTS, target)

    def _child(self, new: Object | None, old: Object | None) -> None:
        for owner in _keys(new, old, owner_of):
            self._mark_soon(MODEL_DEPLOYMENTS, owner)


def _keys(new: Object | None, old: Object | None, keys: Callable[[Object], Iterable[Key]]) -> set[Key]:
    return {key for obj in (new, old) if obj is not None for key in keys(obj)}


def _offer(md: Object | None) -> object:
    """All of a ModelDeployment that policies look at: most of its changes are no news to them."""
    if md is None:
        return None
    status = md.get("status") or {}
    ready = [(revision["name"], revision.get("readyReplicas", 0) > 0) for revision in status.get("revisions") or ()]
    meta, serving = md["metadata"], md["spec"].get("serving")
    return meta.get("uid"), meta.get("deletionTimestamp"), serving, status.get("latestReadyRevision"), ready


def _claims(policy: Object | None) -> object:
    """All of a RoutingPolicy that ModelDeployments look at: the revisions that it pins or routes to."""
    if policy is None:
        return None
    routed = (policy.get("status") or {}).get("arms") or ()
    pinned = [(arm["modelDeployment"], arm.get("revision")) for arm in policy["spec"]["arms"]]
    return pinned, [(arm["modelDeployment"], arm.get("revision"), bool(arm.get("observedWeight"))) for arm in routed]


def _lane(new: Object | None, old: Object | None) -> Lane:
    """Urgent unless only status or metadata changed."""
    generations = {obj["metadata"].get("generation", 0) if obj else None for obj in (new, old)}
    return Lane.URGENT if len(generations) > 1 else Lane.ROUTINE
