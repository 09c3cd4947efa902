"""One open stream: a reader that feeds the state machine and a writer that sends what it says."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from turnout_operator.xds.observe import Traffic
from turnout_operator.xds.stream import StreamState
from turnout_operator.xds.subscription import Request, Response
from turnout_operator.xds.table import Touched
from turnout_operator.xds.wire import NotRenderable, decode, encode, node_id

log = logging.getLogger(__name__)


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

    async def run(self, requests: Any, context: Any) -> bool:
        """Serve until the Envoy leaves (false) or `close` is called (true); errors of either direction are raised."""
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
        return self._closed.is_set()

    async def _read(self, requests: Any) -> None:
        async for message in requests:
            self.node_id = self.node_id or node_id(message)
            request = decode(message)
            if request is not None:
                self._receive(request)

    def _receive(self, request: Request) -> None:
        if request.error is not None:
            self._traffic.nacks += 1
            log.warning("gateway %s refused a %s: %s", self.node_id, request.kind.name, request.error)
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
                await self._send(response, context)
            await self._sleep(loop)

    async def _send(self, response: Response, context: Any) -> None:
        """Send a response. One that can't be rendered is taken as refused, so that it holds up no other."""
        try:
            data = encode(response)
        except NotRenderable as error:
            self._receive(Request(response.kind, nonce=response.nonce, error=str(error)))
            return
        self._traffic.responses += 1
        self._traffic.resources += len(response.resources)
        self._traffic.sent_bytes += len(data)
        await context.write(data)

    async def _sleep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until there may be something to say: the table or the Envoy woke us, or a drain is over."""
        deadline = self.state.deadline()
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            return
