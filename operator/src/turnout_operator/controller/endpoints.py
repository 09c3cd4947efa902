"""EndpointSlices to the gateways' endpoints, past the work queue: a pod that goes must be left at once."""

from turnout_operator.controller.caches import Caches, revision_key
from turnout_operator.kube.resources import Object
from turnout_operator.plan.routes import Endpoint, cluster_name
from turnout_operator.xds.server import XdsServer


class EndpointFeed:
    """Subscribes to the slices' store."""

    def __init__(self, caches: Caches, xds: XdsServer) -> None:
        self._caches = caches
        self._xds = xds
        caches.slices.subscribe(self._changed)

    def _changed(self, new: Object | None, old: Object | None) -> None:
        key = revision_key(new or old or {})
        slices = self._caches.slices.find("revision", key)
        self._xds.set_endpoints(cluster_name(*key), ready_endpoints(slices))


def ready_endpoints(slices: list[Object]) -> list[Endpoint]:
    """The ready addresses of a revision's slices, sorted and without doubles (discovery.k8s.io/v1)."""
    found = {
        Endpoint(address, port["port"])
        for slice_ in slices
        for endpoint in slice_.get("endpoints") or ()
        if endpoint.get("conditions", {}).get("ready") is not False
        for port in slice_.get("ports") or ()
        if port.get("name") == "http"
        for address in endpoint["addresses"]
    }
    return sorted(found, key=lambda endpoint: (endpoint.address, endpoint.port))
