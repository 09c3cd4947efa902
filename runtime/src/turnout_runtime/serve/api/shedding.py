"""Turns away what there is no place for: at once, as long as that leaves the time for those who have one."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

from turnout_runtime.errors import Overloaded
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.serve.api.replies import Replies
from turnout_runtime.serve.http1 import Request

RATE = 4000.0  # a second: each takes some 25 µs, most of it the kernel's, and so all of them a tenth of a core
_BURST = 0.05  # seconds
_TICK = 0.002  # seconds


class Shedding:
    """Sheds at once up to RATE; beyond, requests are told later, in the order in which they came.

    A connection whose answer is due sends no other request that would have to be read and turned away. Without this a
    small workflow would do nothing else as soon as several times more comes in than it can answer.
    """

    def __init__(self, dataplane: Dataplane, replies: Replies, clock: Callable[[], float] = perf_counter) -> None:
        self._dataplane, self._replies, self._clock = dataplane, replies, clock
        self._late: deque[Late] = deque()
        self._credit, self._credited_at = RATE * _BURST, 0.0

    def shed(self, request: Request) -> "bytes | Late":
        """The answer to a request, or the promise of one."""
        if not self._late and self._credited() >= 1.0:
            self._credit -= 1.0
            return self.tell(request)
        return Late(request, self)

    def put(self, late: "Late") -> None:
        """It waits to be told."""
        if not self._late:
            asyncio.get_running_loop().call_later(_TICK, self._tick)
        self._late.append(late)

    def tell(self, request: Request) -> bytes:
        """Leave the record, and say it."""
        refused = self._dataplane.refuse(request.route, Overloaded("queue_full"), request.started)
        return self._replies.shed(request, refused)

    def _credited(self) -> float:
        now = self._clock()
        self._credit = min(self._credit + (now - self._credited_at) * RATE, RATE * _BURST)
        self._credited_at = now
        return self._credit

    def _tick(self) -> None:
        count = min(int(self._credited()), len(self._late))
        self._credit -= count
        for _ in range(count):
            self._late.popleft().tell()
        if self._late:
            asyncio.get_running_loop().call_later(_TICK, self._tick)


class Late:
    """A request that is turned away as soon as there is time for it."""

    __slots__ = ("_finished", "_request", "_shedding")

    def __init__(self, request: Request, shedding: Shedding) -> None:
        self._request, self._shedding = request, shedding
        self._finished: Callable[[bytes | BaseException], object] | None = None

    def then(self, finished: Callable[[bytes | BaseException], object]) -> None:
        """See `Begun.then`."""
        self._request.body, self._finished = b"", finished
        self._shedding.put(self)

    def cancel(self) -> None:
        """Nobody is there to be told; its record is due even so."""
        self._finished = None

    def tell(self) -> None:
        """Now."""
        answer = self._shedding.tell(self._request)
        if self._finished is not None:
            self._finished(answer)
