"""The writes: one way to apply, one to report, one to delete."""

from turnout_operator.kube.client import APPLY, APPLY_QUERY, Api
from turnout_operator.kube.errors import NotFound
from turnout_operator.kube.resources import BY_KIND, Object, Resource


async def apply(api: Api, manifest: Object) -> Object:
    """Server-side apply of a whole desired object; returns the live one (Kubernetes docs, "Server-Side Apply")."""
    resource = BY_KIND[manifest["kind"]]
    meta = manifest["metadata"]
    path = resource.path(meta["namespace"], meta["name"])
    return await api.request("PATCH", path, query=APPLY_QUERY, body=manifest, content_type=APPLY)


async def apply_status(api: Api, resource: Resource, namespace: str, name: str, status: Object) -> Object:
    """Replace the status that this operator owns; raises `NotFound` when the object has gone."""
    body = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"namespace": namespace, "name": name},
        "status": status,
    }
    path = resource.path(namespace, name, "status")
    return await api.request("PATCH", path, query=APPLY_QUERY, body=body, content_type=APPLY)


async def delete(api: Api, resource: Resource, namespace: str, name: str) -> None:
    """Delete with background propagation; an object that has gone is no error."""
    body: Object = {"propagationPolicy": "Background"}
    try:
        await api.request("DELETE", resource.path(namespace, name), body=body)
    except NotFound:
        return
