"""List, then watch: keeps a store equal to the API server and says what changed.

After a watch that is too old (410) it lists again and reports what vanished in between, which a bare watch never
would.
"""

import asyncio
import contextlib
import logging
import random

import aiohttp

from turnout_operator.kube.client import Api
from turnout_operator.kube.errors import ApiError, api_error
from turnout_operator.kube.listing import list_all
from turnout_operator.kube.resources import Object, Resource
from turnout_operator.kube.store import Store

log = logging.getLogger(__name__)
WATCH_SECONDS = 290
MAX_BACKOFF_SECONDS = 30.0


class Informer:
    """Feeds `store` with the objects of `resource` that `label_selector` picks, in all namespaces."""

    def __init__(self, api: Api, resource: Resource, store: Store, label_selector: str = "") -> None:
        self._api = api
        self._resource = resource
        self._store = store
        self._query = {"labelSelector": label_selector} if label_selector else {}
        self._failures = 0
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled; trouble with the API server is logged and retried with back-off."""
        while True:
            try:
                await self._watch_from(await self._list())
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                await self._back_off(error)

    async def _back_off(self, error: Exception) -> None:
        delay = min(0.2 * 2**self._failures, MAX_BACKOFF_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        self._failures += 1
        log.warning("%s: %s; again in %.1f s", self._resource.plural, error, delay)
        await asyncio.sleep(delay)

    async def _list(self) -> str:
        seen, version = await list_all(self._api, self._resource, self._query, self._store.put)
        self._store.retain(seen, version)
        self.synced.set()
        return str(version)

    async def _watch_from(self, version: str) -> None:
        while True:
            query = self._query | {
                "watch": "true",
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(WATCH_SECONDS),
            }
            stream = self._api.stream(self._resource.path(), query=query, timeout=WATCH_SECONDS + 10)
            async with contextlib.aclosing(stream) as events:  # type: ignore[type-var]
                async for event in events:
                    version = self._take(event)
            self._failures = 0

    def _take(self, event: Object) -> str:
        obj = event["object"]
        if event["type"] == "ERROR":
            raise api_error(obj.get("code", 500), obj.get("reason", "Unknown"), obj.get("message", ""))
        self._failures = 0
        if event["type"] == "DELETED":
            self._store.delete(obj)
        elif event["type"] != "BOOKMARK":
            self._store.put(obj)
        return str(obj["metadata"]["resourceVersion"])
