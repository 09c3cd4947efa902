"""One open stream: a reader that feeds the state machine and a writer that sends what it says."""

import asyncio
from collections.abc import Callable
from typing import Any

from turnout_operator.xds.observe import Traffic
from turnout_operator.xds.stream import StreamState
from turnout_operator.xds.subscription import Request, Response
from turnout_operator.xds.table import Touched
from turnout_operator.xds.wire import decode, encode, node_id


class Connection:
    """Couples one gRPC stream with its state. A blocked write holds up no other connection."""

    def __init__(self, state: StreamState, traffic: Traffic, changed: Callable[[set[str]], None]) -> None:
        self.state = state
        self._traffic = traffic
        self.node_id = ""
        self._changed = changed
        self._wake = asyncio.Event()
        self._closed = asyncio.Event()

    def mark(self, touched: Touched) -> None:
        """The table changed."""
        self.state.mark(touched)
        self._wake.set()

    def close(self) -> None:
        """Have `run` return."""
        self._closed.set()

    async def run(self, requests: Any, context: Any) -> None:
        """Serve until the Envoy leaves or `close` is called; errors of either direction are raised."""
        tasks = [
            asyncio.ensure_future(self._read(requests)),
            asyncio.ensure_future(self._write(context)),
            asyncio.ensure_future(self._closed.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _read(self, requests: Any) -> None:
        async for message in requests:
            self.node_id = self.node_id or node_id(message)
            request = decode(message)
            if request is not None:
                self._receive(request)

    def _receive(self, request: Request) -> None:
        self._traffic.nacks += request.error is not None
        self.state.receive(request)
        if self.state.changed:
            names, self.state.changed = self.state.changed, set()
            self._changed(names)
        self._wake.set()

    async def _write(self, context: Any) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            while response := self.state.next_response(loop.time()):
                await context.write(self._encode(response))
            await self._sleep(loop)

    async def _sleep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until there may be something to say: the table or the Envoy woke us, or a drain is over."""
        deadline = self.state.deadline()
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            return

    def _encode(self, response: Response) -> bytes:
        data = encode(response)
        self._traffic.responses += 1
        self._traffic.resources += len(response.resources)
        self._traffic.sent_bytes += len(data)
        return data
