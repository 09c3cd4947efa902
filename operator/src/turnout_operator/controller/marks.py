"""Which keys become dirty when something changes: the only place that knows who depends on whom."""

from turnout_operator.controller.caches import Caches, WorkKey, arm_targets, objective_of, owner_of
from turnout_operator.controller.queue import Lane, WorkQueue
from turnout_operator.kube.resources import CHILDREN, MODEL_DEPLOYMENTS, PODS, ROUTING_POLICIES, Object, Resource
from turnout_operator.kube.store import Key, key_of
from turnout_operator.plan.routes import PolicyKey


class Marker:
    """Subscribes to the stores and marks keys in the queue.

    A custom resource whose `metadata.generation` is new was changed by a user and goes first, except in the initial
    listing.
    """

    def __init__(self, caches: Caches, queue: WorkQueue[WorkKey]) -> None:
        self._caches = caches
        self._queue = queue
        self._generations: dict[tuple[Resource, Key], int] = {}
        self.listing = True
        caches.model_deployments.subscribe(self._model_deployment)
        caches.routing_policies.subscribe(self._routing_policy)
        for resource in (*CHILDREN, PODS):
            caches.store(resource).subscribe(self._child)

    def everything(self) -> None:
        """Mark all custom resources, as after a change of leader."""
        for resource in (MODEL_DEPLOYMENTS, ROUTING_POLICIES):
            for key in list(self._caches.store(resource).keys()):
                self._queue.add(WorkKey(resource.kind, *key))

    def policy(self, key: PolicyKey) -> None:
        """The gateways said something about a policy."""
        self._queue.add(WorkKey(ROUTING_POLICIES.kind, *key), Lane.URGENT)

    def _model_deployment(self, obj: Object) -> None:
        lane = self._lane(MODEL_DEPLOYMENTS, obj)
        self._queue.add(WorkKey(MODEL_DEPLOYMENTS.kind, *key_of(obj)), lane)
        for policy in self._caches.routing_policies.find("target", key_of(obj)):
            self._queue.add(WorkKey(ROUTING_POLICIES.kind, *key_of(policy)), lane)

    def _routing_policy(self, obj: Object) -> None:
        lane = self._lane(ROUTING_POLICIES, obj)
        self._queue.add(WorkKey(ROUTING_POLICIES.kind, *key_of(obj)), lane)
        for rival in self._caches.routing_policies.find("objective", objective_of(obj)[0]):
            self._queue.add(WorkKey(ROUTING_POLICIES.kind, *key_of(rival)), lane)
        for target in arm_targets(obj):
            self._queue.add(WorkKey(MODEL_DEPLOYMENTS.kind, *target))

    def _child(self, obj: Object) -> None:
        for owner in owner_of(obj):
            self._queue.add(WorkKey(MODEL_DEPLOYMENTS.kind, *owner))

    def _lane(self, resource: Resource, obj: Object) -> Lane:
        generation = obj["metadata"].get("generation", 0)
        key = (resource, key_of(obj))
        known = self._generations.pop(key, None)
        if self._caches.store(resource).get(key_of(obj)):
            self._generations[key] = generation
        return Lane.ROUTINE if self.listing or known == generation else Lane.URGENT
