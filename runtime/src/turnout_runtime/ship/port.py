"""The shipper's port: `/metrics`, of which `?name[]=` picks some, and `/healthz`."""

from collections.abc import Collection, Iterator
from typing import Any, cast

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from turnout_runtime.errors import ConfigInvalid


class _Some(Collector):
    """The families of which any sample is asked for."""

    def __init__(self, all_of: Collector, names: Collection[str]) -> None:
        self._all, self._names = all_of, names

    def collect(self) -> Iterator[Metric]:
        for metric in self._all.collect():
            if not self._names or any(name in self._names for name in (metric.name, f"{metric.name}_total")):
                yield metric


async def open_port(host: str | None, port: int, metrics: Collector) -> web.AppRunner:
    """Listen; the caller cleans the runner up. Raises `ConfigInvalid` when the port is taken."""

    async def answer(request: web.Request) -> web.Response:
        some = cast(Any, _Some(metrics, request.query.getall("name[]", ())))
        return web.Response(body=generate_latest(some), headers={"Content-Type": CONTENT_TYPE_LATEST})

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
