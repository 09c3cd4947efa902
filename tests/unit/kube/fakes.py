"""A hand-written API server behind the client's seam: enough for informers, leases and status writes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from turnout_operator.kube.errors import Conflict, NotFound, api_error


class FakeApi:
    """Holds objects by path; `script` is what the next watches yield, one list each."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.lists: list[dict[str, Any]] = []
        self.script: list[list[dict[str, Any] | Exception]] = []
        self.requests: list[tuple[str, str]] = []
        self.refuse: Exception | None = None
        self.refusals: dict[str, Exception] = {}
        self.version = 1000

    async def request(self, method, path, *, query=None, body=None, content_type="", accept="", timeout=0):
        self.requests.append((method, path))
        if self.refuse:
            raise self.refuse
        for plural, error in self.refusals.items():
            if f"/{plural}/" in path:
                raise error
        if method == "GET" and query and "limit" in query:
            return self.lists.pop(0)
        return getattr(self, f"_{method.lower()}")(path, body)

    def _get(self, path, body):
        if path not in self.objects:
            raise NotFound(404, "NotFound", path)
        return self.objects[path]

    def _post(self, path, body):
        name = f"{path}/{body['metadata']['name']}"
        if name in self.objects:
            raise Conflict(409, "AlreadyExists", name)
        return self._store(name, body)

    def _put(self, path, body):
        if self._get(path, None)["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", path)
        return self._store(path, body)

    def _patch(self, path, body):
        """An apply: of a whole object, or of its status."""
        base = path.removesuffix("/status")
        known = self.objects.get(base, {"metadata": {"uid": f"u-{body['metadata']['name']}", "generation": 1}})
        changed = {"status": body["status"]} if path != base else body
        return self._store(base, {**known, **changed, "metadata": {**known["metadata"], **body["metadata"]}})

    def _delete(self, path, body):
        return self.objects.pop(path, None) or self._get(path, None)

    def _store(self, path, body):
        self.version += 1
        meta = {**body["metadata"], "resourceVersion": str(self.version)}
        self.objects[path] = {**body, "metadata": meta, "spec": dict(body.get("spec", {}))}
        return {**self.objects[path], "metadata": dict(meta), "spec": dict(body.get("spec", {}))}

    async def stream(self, path, *, query, timeout) -> AsyncIterator[dict[str, Any]]:
        for event in self.script.pop(0) if self.script else []:
            if isinstance(event, Exception):
                raise event
            yield event
        if not self.script:
            await asyncio.sleep(3600)


def obj(name: str, version: int, uid: str = "u", **more: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version)}, **more}


def listing(version: int, *items: dict[str, Any], token: str = "") -> dict[str, Any]:
    return {"items": list(items), "metadata": {"resourceVersion": str(version), "continue": token}}


def gone() -> Exception:
    return api_error(410, "Expired", "too old")
