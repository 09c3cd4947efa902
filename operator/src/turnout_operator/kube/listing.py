"""A whole listing in pages: a thousand objects are never in memory as text at once (Kubernetes API, chunking)."""

from collections.abc import Callable, Mapping

from turnout_operator.kube.client import Api
from turnout_operator.kube.resources import Object, Resource
from turnout_operator.kube.store import Key, key_of, version_of

PAGE = 250


async def list_all(
    api: Api, resource: Resource, query: Mapping[str, str], take: Callable[[Object], object]
) -> tuple[set[Key], int]:
    """Hand every object to `take`; returns all keys and the listing's resource version. Raises `ApiError`."""
    seen: set[Key] = set()
    token = ""
    while True:
        more = {"limit": str(PAGE)} | ({"continue": token} if token else {})
        page = await api.request("GET", resource.path(), query={**query, **more}, timeout=60)
        for item in page.get("items") or ():
            seen.add(key_of(item))
            take(item)
        token = page["metadata"].get("continue", "")
        if not token:
            return seen, version_of(page)
