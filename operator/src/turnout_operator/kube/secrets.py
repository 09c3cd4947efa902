"""Secrets of the operator's own namespace, by name."""

import base64

from turnout_operator.kube.client import APPLY, APPLY_QUERY, Api
from turnout_operator.kube.errors import Conflict, NotFound
from turnout_operator.kube.resources import SECRETS, Object


async def read_secret(api: Api, namespace: str, name: str) -> dict[str, bytes] | None:
    """The Secret's data; None when there is no such Secret."""
    try:
        secret = await api.request("GET", SECRETS.path(namespace, name))
    except NotFound:
        return None
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}


async def create_secret(api: Api, namespace: str, name: str, data: dict[str, bytes]) -> bool:
    """Create it; False when it exists already (another replica was first)."""
    try:
        await api.request("POST", SECRETS.path(namespace), body=_secret(namespace, name, data))
    except Conflict:
        return False
    return True


async def replace_secret(api: Api, namespace: str, name: str, data: dict[str, bytes]) -> None:
    """Replace the data of a Secret that exists."""
    path = SECRETS.path(namespace, name)
    await api.request("PATCH", path, query=APPLY_QUERY, body=_secret(namespace, name, data), content_type=APPLY)


def _secret(namespace: str, name: str, data: dict[str, bytes]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": "turnout", "app.kubernetes.io/name": "turnout"},
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }
