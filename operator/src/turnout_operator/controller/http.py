"""The operator's own HTTP endpoints: liveness, readiness, metrics."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


async def serve(port: int, is_alive: Callable[[], bool], is_ready: Callable[[], bool]) -> web.AppRunner:
    """Start `/livez`, `/readyz` and `/metrics` on all addresses; the caller cleans the runner up."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/livez", lambda request: _probe(is_alive())),
            web.get("/readyz", lambda request: _probe(is_ready())),
            web.get("/metrics", _metrics),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner


async def _probe(good: bool) -> web.Response:
    return web.Response(text="ok\n" if good else "not ready\n", status=200 if good else 503)


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
