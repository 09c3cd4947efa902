"""The pod's own port: probes and metrics."""

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.telemetry.selection import select


class AdminApi:
    """Answers `/livez`, `/readyz` and `/metrics`, whose text `render` gives."""

    def __init__(self, readiness: Readiness, render: Callable[[], Awaitable[bytes]]) -> None:
        self._readiness, self._render = readiness, render

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application()
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
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
