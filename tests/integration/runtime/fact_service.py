"""A fact service over HTTP that can be told to misbehave; a program of its own: `python fact_service.py PORT`.

`GET /facts/KEY` answers `{"key": KEY, "headers": {...}}`; keys that begin with `none` are unknown. `GET /mode/NAME`
sets how all connections behave from then on.
"""

import asyncio
import json
import sys
from urllib.parse import unquote

HUGE = 8 * 1024**2
MODES = ("well", "slow", "text", "list", "huge", "endless", "truncated", "500", "401", "302", "reset", "nothttp")


class Service:
    """One mode for all connections."""

    mode = "well"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (head := await reader.readuntil(b"\r\n\r\n")) and await self._answer(head.decode("latin-1"), writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> bool:
        """Write one answer; whether the connection may stay."""
        request, *lines = head.split("\r\n")
        path = request.split(" ")[1]
        if path.startswith("/mode/"):
            self.mode = path.rpartition("/")[2]
            return _write(writer, 200, b"{}")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        body = json.dumps({"key": unquote(path.removeprefix("/facts/")), "headers": headers, "at": 1}).encode()
        if path.startswith("/facts/none"):
            return _write(writer, 404, b'{"error": "none"}')
        return await self._misbehave(body, writer)

    async def _misbehave(self, body: bytes, writer: asyncio.StreamWriter) -> bool:
        match self.mode:
            case "slow":
                await asyncio.sleep(1.0)
                return _write(writer, 200, body)
            case "text":
                return _write(writer, 200, b"<html>It works!</html>")
            case "list":
                return _write(writer, 200, b"[1, 2, 3]")
            case "huge":
                return _write(writer, 200, b'{"x": "' + b"y" * HUGE + b'"}')
            case "endless":
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                while True:
                    writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                    await writer.drain()
            case "truncated":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + body[:20])
                return False
            case "500" | "401":
                return _write(writer, int(self.mode), b"{}")
            case "302":
                writer.write(b"HTTP/1.1 302 Found\r\nlocation: /facts/x\r\ncontent-length: 0\r\n\r\n")
                return True
            case "reset":
                return False
            case "nothttp":
                writer.write(b"\x16\x03\x01 what?\r\n\r\n")
                return False
        return _write(writer, 200, body)


def _write(writer: asyncio.StreamWriter, status: int, body: bytes) -> bool:
    head = f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    return True


async def _main(port: int) -> None:
    server = await asyncio.start_server(Service().serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
