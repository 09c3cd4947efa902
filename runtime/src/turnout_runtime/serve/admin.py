"""The pod's own port: probes, metrics, and sketches of what it answered."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.telemetry.selection import select

_HOUR = 3600  # seconds that sketches look back
Sketched = Callable[[float], Awaitable[dict[str, Any] | None]]


class AdminApi:
    """Answers `/livez`, `/readyz`, `/metrics`, whose text `render` gives, and `/sketches`, a document of `sketched`."""

    def __init__(self, readiness: Readiness, render: Callable[[], Awaitable[bytes]], sketched: Sketched) -> None:
        self._readiness, self._render, self._sketched = readiness, render, sketched

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application()
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/sketches", self._sketches)
        return app

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        phase = self._readiness.phase
        status = 200 if phase is Phase.READY else 503
        return web.Response(status=status, body=orjson.dumps({"phase": phase.value}), content_type="application/json")

    async def _metrics(self, request: web.Request) -> web.Response:
        text, names = await self._render(), request.query.getall("name[]", [])
        body = select(text, names) if names else text
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _sketches(self, request: web.Request) -> web.Response:
        text = request.query.get("seconds", str(_HOUR))
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _HOUR:
            told = f"seconds: must be a whole number from 1 to {_HOUR}\n"
            return web.Response(status=400, text=told)
        document = await self._sketched(float(text))
        if document is None:
            return web.Response(status=503, text="there are no sketches yet: the pod has not been ready\n")
        return web.Response(body=orjson.dumps(document), content_type="application/json")
