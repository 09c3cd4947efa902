"""The shipper's port: `/metrics`, of which `?name[]=` picks some, and `/healthz`."""

from aiohttp import web
from prometheus_client import ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.telemetry.selection import select


async def open_port(host: str | None, port: int, metrics: Collector) -> web.AppRunner:
    """Listen; the caller cleans the runner up. Raises `ConfigInvalid` when the port is taken."""

    registry = CollectorRegistry()
    registry.register(metrics)
    ProcessCollector(registry=registry)

    async def answer(request: web.Request) -> web.Response:
        text, names = generate_latest(registry), request.query.getall("name[]", [])
        return web.Response(body=select(text, names) if names else text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/metrics", answer)
    app.router.add_get("/healthz", healthy)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigInvalid(
            f"port: cannot listen on {port}: {error.strerror}: choose another, or 0 for none"
        ) from error
    return runner
