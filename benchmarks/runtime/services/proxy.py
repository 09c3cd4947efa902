"""A TCP proxy before a server that cannot misbehave by itself.

`python -m benchmarks.runtime.services.proxy PORT SERVER_PORT`
"""

import asyncio
import sys

import uvloop
from benchmarks.runtime.services.modes import GARBAGE, SLOW_SECONDS, Mode


class Proxy:
    """Passes bytes on; answers come late or are garbage when told so."""

    def __init__(self, server: int) -> None:
        self._server, self._mode = server, Mode()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        try:
            upstream, onward = await asyncio.open_connection("127.0.0.1", self._server)
        except OSError:
            writer.close()
            return
        passing = [
            asyncio.create_task(self._pass(reader, onward, answers=False)),
            asyncio.create_task(self._pass(upstream, writer, answers=True)),
        ]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in passing:
                task.cancel()
            writer.close()
            onward.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await reader.read(65536):
                if answers and self._mode.slow:
                    await asyncio.sleep(SLOW_SECONDS)
                writer.write(GARBAGE if answers and self._mode.garbage else data)
                await writer.drain()
        except OSError:
            return


async def main(port: int, server: int) -> None:
    listening = await asyncio.start_server(Proxy(server).handle, "127.0.0.1", port)
    await listening.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
