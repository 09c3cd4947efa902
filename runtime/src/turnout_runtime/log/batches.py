"""Memory between the event loop and the log's thread: lines are copied into pieces that are used again.

A thousand lines of their own would take the processor's caches from the requests, and new pages from the kernel.
"""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock

_SPARE = 4


class Batch:
    """Some memory, and how much of it is taken by how many lines."""

    __slots__ = ("memory", "rows", "size")

    def __init__(self, capacity: int) -> None:
        self.memory = bytearray(capacity)
        self.rows = self.size = 0

    @property
    def payload(self) -> memoryview:
        """The lines."""
        return memoryview(self.memory)[: self.size]


class Batches:
    """Batches of `capacity` bytes each, a longer line in one of its own, for a thread that fills and one that empties
    them. All that are in use have `limit` bytes of memory, full or not.
    """

    def __init__(self, capacity: int, limit: int, alarm: Callable[[], object]) -> None:
        """`alarm` is called when half of the limit is reached."""
        self._capacity, self._limit, self._alarm = max(1, min(capacity, limit // 4)), limit, alarm
        self._lock = Lock()
        self._current: Batch | None = None
        self._full: deque[Batch] = deque()
        self._spare: list[Batch] = []
        self._held = self._memory = 0

    @property
    def held(self) -> int:
        """Bytes of lines that wait."""
        current = self._current
        return self._held + (0 if current is None else current.size)

    def put(self, lines: Iterable[bytes]) -> int:
        """Take the lines there is room for; how many there was none for."""
        refused, capacity = 0, self._capacity
        with self._lock:
            batch = self._current
            for line in lines:
                begin = batch.size if batch is not None else capacity
                end = begin + len(line)
                if batch is None or end > capacity:
                    batch = self._another(len(line))
                    if batch is None:
                        refused += 1
                        continue
                    begin, end = 0, len(line)
                batch.memory[begin:end] = line
                batch.size = end
                batch.rows += 1
        return refused

    def _another(self, length: int) -> Batch | None:
        size = max(length, self._capacity)
        if self._memory + size > self._limit // 2:
            self._alarm()
        if self._memory + size > self._limit:
            return None
        self._set_aside()
        self._memory += size
        self._current = self._spare.pop() if self._spare and size == self._capacity else Batch(size)
        return self._current

    def _set_aside(self) -> None:
        if self._current is not None and self._current.rows:
            self._full.append(self._current)
            self._held += self._current.size
        self._current = None

    def take(self) -> Batch | None:
        """The oldest lines; None when there are none."""
        with self._lock:
            if not self._full:
                self._set_aside()
            return self._full.popleft() if self._full else None

    def done(self, batch: Batch) -> None:
        """They are written, or lost."""
        with self._lock:
            self._held -= batch.size
            self._memory -= len(batch.memory)
            if len(batch.memory) == self._capacity and len(self._spare) < _SPARE:
                batch.rows = batch.size = 0
                self._spare.append(batch)
