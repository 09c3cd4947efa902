"""A fact service over HTTP: `python -m benchmarks.runtime.services.http PORT`."""

import asyncio
import json
import sys

import uvloop
from aiohttp import web
from benchmarks.runtime.services.modes import GARBAGE, SLOW_SECONDS, Mode


async def main(port: int) -> None:
    mode = Mode()

    async def device(request: web.Request) -> web.Response:
        if mode.slow:
            await asyncio.sleep(SLOW_SECONDS)
        body = GARBAGE if mode.garbage else json.dumps({"risk": 0.5, "key": request.match_info["key"]}).encode()
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/device/{key}", device)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
