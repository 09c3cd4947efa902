"""What a client sees: a watch of the benchmark's own, and the moment at which each object became what was asked."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from benchmarks.control.workload import NAMESPACE, Object

from turnout_operator.kube.client import Api
from turnout_operator.kube.resources import Resource

Predicate = Callable[[Object], bool]


class Watch:
    """Follows the benchmark's objects of one kind. `name_of` names what an object is about."""

    def __init__(self, api: Api, resource: Resource, name_of: Callable[[Object], str] | None = None) -> None:
        self._api = api
        self._resource = resource
        self._name_of = name_of or _own_name
        self._awaited: dict[str, list[tuple[Predicate, asyncio.Future[float]]]] = {}
        self.objects: dict[str, Object] = {}

    def when(self, name: str, predicate: Predicate) -> "asyncio.Future[float]":
        """A future of the time (monotonic) of the first event from now on that satisfies `predicate`."""
        future = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(name, []).append((predicate, future))
        return future

    def count(self, predicate: Predicate) -> int:
        """Objects that satisfy it now."""
        return sum(map(predicate, self.objects.values()))

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator["Watch"]:
        """Follow while the block runs."""
        version = await self._list()
        task = asyncio.create_task(self._follow(version))
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _list(self) -> str:
        listing = await self._api.request("GET", self._resource.path(NAMESPACE), timeout=60)
        self.objects = {self._name_of(item): item for item in listing["items"]}
        return str(listing["metadata"]["resourceVersion"])

    async def _follow(self, version: str) -> None:
        while True:
            query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
            async for event in self._api.stream(self._resource.path(NAMESPACE), query=query, timeout=3600):
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._take(event["object"], time.monotonic())

    def _take(self, obj: Object, now: float) -> None:
        name = self._name_of(obj)
        self.objects[name] = obj
        waiting = self._awaited.pop(name, [])
        for predicate, future in waiting:
            if future.done():
                continue
            if predicate(obj):
                future.set_result(now)
            else:
                self._awaited.setdefault(name, []).append((predicate, future))


def _own_name(obj: Object) -> str:
    return str(obj["metadata"]["name"])
