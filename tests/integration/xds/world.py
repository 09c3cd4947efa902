"""A control plane, real Envoys and tiny pods on loopback; everything started is ended with the world."""

import asyncio
import pickle
import ssl
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from aiohttp import ClientSession, TCPConnector, web
from tests.integration.xds.envoy import Envoy, free_port

from turnout_operator.plan.routes import ArmRoute, Endpoint, PolicyKey, PolicyRoute, Sticky
from turnout_operator.xds.bootstrap import bootstrap
from turnout_operator.xds.observe import Observation
from turnout_operator.xds.server import XdsServer

HEADER = Sticky("header", "x-entity-id")
BODY = Sticky("body", "customer.id")
COOKIE = Sticky("cookie", "customer")


def policy(
    name: str,
    weights: dict[str, int],
    *,
    version: str = "v1",
    sticky: Sticky | None = HEADER,
    timeout: float = 2.0,
    stream: float = 0.0,
    guarded: bool = False,
) -> PolicyRoute:
    """Objective demo/`name`; `weights` maps pods' names to basis points, the first is the stable arm."""
    arms = tuple(ArmRoute(arm, f"demo/{arm}", arm, weight, guarded) for arm, weight in weights.items())
    return PolicyRoute(PolicyKey("demo", name), name, version, sticky, arms, timeout, stream)


def key(name: str) -> PolicyKey:
    return PolicyKey("demo", name)


async def until(condition: Callable[[], bool], what: str, seconds: float = 8.0) -> float:
    """Wait for `condition`; returns how long it took."""
    start = time.perf_counter()
    while not condition():
        assert time.perf_counter() - start < seconds, f"never: {what}"
        await asyncio.sleep(0.001)
    return time.perf_counter() - start


class Pod:
    """An upstream that echoes the headers it got; `delay` in seconds. To callers who want events it streams them for
    `delay`. With `tls` it demands what that context demands. One that `aborts` breaks the connection. `asked` counts
    requests, `most` is how many there were at once, and `heard` has the last ones' headers."""

    def __init__(self, name: str, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.tls = tls
        self.delay = 0.0
        self.status = 200
        self.aborts = False
        self.asked = self.now = self.most = 0
        self.heard: deque[dict[str, str]] = deque(maxlen=1_000)
        self.endpoint = Endpoint("127.0.0.1", 0)
        self._runner: web.AppRunner | None = None

    async def start(self, stack: AsyncExitStack) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.tls)
        await site.start()
        self.endpoint = Endpoint("127.0.0.1", runner.addresses[0][1])

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked, self.now = self.asked + 1, self.now + 1
        self.most = max(self.most, self.now)
        try:
            return await self._echo(request)
        finally:
            self.now -= 1

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.heard.append(headers)
        await request.read()
        if self.aborts:
            assert request.transport is not None
            request.transport.abort()
        if "text/event-stream" in request.headers.get("accept", ""):
            return await self._stream(request)
        if self.delay:
            await asyncio.sleep(self.delay)
        said = {"pod": self.name, "path": request.path, "method": request.method, "headers": headers}
        return web.json_response(said, status=self.status)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for number in range(5):
            await answer.write(f"event: chunk\ndata: {number}\n\n".encode())
            await asyncio.sleep(self.delay / 5)
        await answer.write(b"event: decision\ndata: {}\n\n")
        return answer


class World:
    """Starts and ends things. `changes` are the policies that `on_change` told, in order."""

    def __init__(self, folder: Path, stack: AsyncExitStack, session: ClientSession) -> None:
        self._folder = folder
        self._stack = stack
        self.session = session
        self.changes: list[PolicyKey] = []
        self.pods: dict[str, Pod] = {}
        self.port = 0
        self.xds = XdsServer(on_change=self.changes.append)

    async def serve(self, *policies: PolicyRoute, credentials: Any = None, **options: Any) -> XdsServer:
        """A new control plane with these policies, on the port of the one before."""
        settings = {"drain_seconds": 0.3, **options}
        self.xds = XdsServer(on_change=self.changes.append, gateway_port=0, **settings)
        for pod in self.pods.values():
            self.xds.set_endpoints(f"demo/{pod.name}", [pod.endpoint])
        for each in policies:
            self.xds.set_route(each)
        self.port = await self.xds.start(f"127.0.0.1:{self.port}", credentials)
        self._stack.push_async_callback(self.xds.stop, 0)
        self.xds.set_serving(True)
        return self.xds

    async def spawn_plane(self, *policies: PolicyRoute) -> asyncio.subprocess.Process:
        """A control plane with these policies in a process of its own."""
        endpoints = {f"demo/{pod.name}": [pod.endpoint] for pod in self.pods.values()}
        pipe = asyncio.subprocess.PIPE
        arguments = [sys.executable, "-m", "tests.integration.xds.plane"]
        plane = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
        self._stack.push_async_callback(_end, plane)
        assert plane.stdin is not None
        assert plane.stdout is not None
        plane.stdin.write(pickle.dumps((endpoints, policies)))
        plane.stdin.close()
        self.port = int(await plane.stdout.readline())
        return plane

    async def start_pods(self, *names: str, tls: ssl.SSLContext | None = None) -> None:
        for name in names:
            self.pods[name] = Pod(name, tls)
            await self.pods[name].start(self._stack)

    async def start_envoy(self, node: str = "envoy-1", **options: Any) -> Envoy:
        """A gateway that listens."""
        envoy = self.spawn_envoy(node, **options)
        await envoy.listening()
        return envoy

    def spawn_envoy(self, node: str = "envoy-1", tls: Path | None = None, **options: Any) -> Envoy:
        """A gateway that is about to listen; `tls` is its SDS directory."""
        paths = {"sds_directory": PurePosixPath(tls)} if tls else {}
        address = {"xds_address": "127.0.0.1", "xds_port": self.port, "tls": tls is not None, "node_id": node}
        ports = {"admin_port": free_port(), "status_port": 0}
        envoy = Envoy(self._folder / node, self.session, bootstrap(**address, **ports, **paths, **options))
        self._stack.callback(envoy.end)
        return envoy

    def seen(self, name: str) -> Observation:
        return self.xds.observation(key(name))

    async def acked(self, name: str, envoys: int = 1) -> float:
        """Wait until that many Envoys are connected and all have ACKed; returns the seconds."""

        def done() -> bool:
            seen = self.seen(name)
            return seen.connected == seen.acked == envoys

        return await until(done, f"{name} acked by {envoys}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


@asynccontextmanager
async def new_world(folder: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession(connector=TCPConnector(limit=64)))
        yield World(folder, stack, session)


class Load:
    """Clients that ask without pause; `answers` counts statuses, and errors under 0."""

    def __init__(self, ask: Callable[[int], Awaitable[int]], clients: int = 4) -> None:
        self._ask = ask
        self._clients = clients
        self._tasks: list[asyncio.Task[None]] = []
        self._running = True
        self.answers: dict[int, int] = {}

    async def __aenter__(self) -> "Load":
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running = False
        await asyncio.gather(*self._tasks)

    async def _client(self, number: int) -> None:
        while self._running:
            number += self._clients
            status = await self._ask(number)
            self.answers[status] = self.answers.get(status, 0) + 1
