"""The bare parts of the yardstick: a client, an informer and a keyed queue, with nothing that it does not need."""

import asyncio
import collections
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson
from kubernetes.aio.client.rest import RESTClientObject
from prometheus_client import Gauge

Object = dict[str, Any]
Key = tuple[str, str, str]
DEPTH = Gauge("turnout_operator_queue_depth", "Keys waiting")


class Client:
    """Requests to the API server, JSON in and out."""

    def __init__(self, configuration: Any) -> None:
        configuration.connection_pool_maxsize = 64
        self._host = configuration.host
        self._rest = RESTClientObject(configuration)

    async def get(self, path: str) -> Object:
        return await self._send("GET", path, None)

    async def apply(self, path: str, body: Object) -> Object:
        return await self._send("PATCH", f"{path}?fieldManager=turnout&force=true", body)

    async def watch(self, path: str) -> AsyncIterator[Object]:
        answer = await self._rest.request("GET", self._host + path, {}, _request_timeout=300)
        try:
            async for line in answer.response.content:
                yield orjson.loads(line)
        finally:
            answer.response.close()

    async def _send(self, method: str, path: str, body: Object | None) -> Object:
        headers = {"Content-Type": "application/apply-patch+yaml"}
        answer = await self._rest.request(method, self._host + path, headers, body, _request_timeout=30)
        data = await answer.read()
        if answer.status >= 400:
            raise OSError(f"{answer.status} {data[:300]!r}")
        parsed: Object = orjson.loads(data)
        return parsed


class Informer:
    """A cache of one kind; `changed` hears of every object that came, changed or went."""

    def __init__(
        self, client: Client, kind: str, path: str, selector: str, changed: Callable[[str, Object], None]
    ) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.synced = asyncio.Event()
        self._client, self._kind, self._path, self._changed = client, kind, path, changed
        self._query = f"&labelSelector={selector}" if selector else ""

    async def run(self) -> None:
        while True:
            try:
                await self._watch(await self._list())
            except (OSError, aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(1)

    def put(self, obj: Object) -> None:
        key = key_of(obj)
        old = self.objects.get(key)
        if old is None or version(obj) > version(old):
            obj["metadata"].pop("managedFields", None)
            self.objects[key] = obj
            self._changed(self._kind, obj)

    async def _list(self) -> str:
        seen, token = set(), ""
        while True:
            page = await self._client.get(f"{self._path}?limit=500&continue={token}{self._query}")
            for item in page["items"]:
                seen.add(key_of(item))
                self.put(item)
            token = page["metadata"].get("continue", "")
            if not token:
                break
        for key in self.objects.keys() - seen:
            self._changed(self._kind, self.objects.pop(key))
        self.synced.set()
        return str(page["metadata"]["resourceVersion"])

    async def _watch(self, since: str) -> None:
        while True:
            query = f"watch=true&allowWatchBookmarks=true&timeoutSeconds=290&resourceVersion={since}{self._query}"
            async for event in self._client.watch(f"{self._path}?{query}"):
                obj = event["object"]
                if event["type"] == "ERROR":
                    raise OSError(obj.get("message"))
                since = obj["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    self._changed(self._kind, self.objects.pop(key_of(obj), obj))
                elif event["type"] != "BOOKMARK":
                    self.put(obj)


class Queue:
    """Keys to reconcile: each waits once, and is in the hands of one worker."""

    def __init__(self) -> None:
        self._keys: collections.deque[Key] = collections.deque()
        self._waiting: set[Key] = set()
        self._busy: set[Key] = set()
        self._more = asyncio.Event()

    def add(self, key: Key) -> None:
        if key not in self._waiting:
            self._waiting.add(key)
            if key not in self._busy:
                self._keys.append(key)
                self._more.set()

    async def get(self) -> Key:
        while not self._keys:
            self._more.clear()
            await self._more.wait()
        key = self._keys.popleft()
        self._waiting.discard(key)
        self._busy.add(key)
        DEPTH.set(len(self._keys))
        return key

    def done(self, key: Key) -> None:
        self._busy.discard(key)
        if key in self._waiting:
            self._keys.append(key)
            self._more.set()


def key_of(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
