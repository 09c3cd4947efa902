"""The API resources that the operator reads and writes, and their REST paths."""

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One API resource; `group` is empty for the core group (Kubernetes API conventions)."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The REST path of a collection, an object or its subresource."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part is not None]
        return "/" + "/".join(parts)


MODEL_DEPLOYMENTS = Resource("serving.turnout.dev", "v1alpha1", "modeldeployments", "ModelDeployment")
ROUTING_POLICIES = Resource("serving.turnout.dev", "v1alpha1", "routingpolicies", "RoutingPolicy")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
SERVICES = Resource("", "v1", "services", "Service")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
DISRUPTION_BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
JOBS = Resource("batch", "v1", "jobs", "Job")
CRON_JOBS = Resource("batch", "v1", "cronjobs", "CronJob")
PODS = Resource("", "v1", "pods", "Pod")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
SECRETS = Resource("", "v1", "secrets", "Secret")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")

CHILDREN = (CONFIG_MAPS, SERVICE_ACCOUNTS, SERVICES, DISRUPTION_BUDGETS, DEPLOYMENTS, JOBS, CRON_JOBS)
"""What a revision consists of, in the order of dependence."""

BY_KIND = {resource.kind: resource for resource in (MODEL_DEPLOYMENTS, ROUTING_POLICIES, *CHILDREN)}
