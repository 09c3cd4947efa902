"""The yardstick: bare aiohttp on uvloop, the workflow inline and unbatched, the standard library's JSON; no log."""

import asyncio
import json
import sys

import uvloop
from aiohttp import web
from fraud import Model

MODEL = Model()


async def predict(request: web.Request) -> web.Response:
    answer = MODEL.answer(json.loads(await request.read()))
    return web.Response(body=json.dumps(answer).encode(), content_type="application/json")


async def main(port: int) -> None:
    app = web.Application()
    app.router.add_post("/predict", predict)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


uvloop.run(main(int(sys.argv[1])))
