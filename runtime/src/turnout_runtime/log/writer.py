"""Takes records from the event loop and writes them in a thread of its own.

The loop never waits: what does not fit in the buffer, or cannot be written, is dropped and counted. Each counter and
each end of the buffer belongs to one of the two threads, so there is no lock between them.
"""

import errno
import logging
import threading
from collections import Counter, deque

from turnout_runtime.log.files import LogFiles
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.log")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CHUNK = 1024**2
_INTERVAL = 0.1  # seconds between writes: a record is with the kernel within 0.2 s, also on a busy machine
REASONS = ("buffer_full", "disk_full", "io_error", "not_encodable", "record_too_large")
BUFFER = 32 * 1024**2


class LogWriter:
    """A bounded buffer and the thread that empties it into files."""

    def __init__(self, files: LogFiles, buffer_bytes: int = BUFFER) -> None:
        self._files, self._limit = files, buffer_bytes
        self._lines: deque[bytes] = deque()
        self._added = self._removed = 0
        self._stop = threading.Event()
        self._throttle = Throttle(10.0)
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self.written = 0
        self.dropped: Counter[str] = Counter(dict.fromkeys(REASONS, 0))

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Take one record, newline included; never waits and never raises."""
        if len(line) > self._files.max_bytes:
            self.dropped["record_too_large"] += 1
        elif self._added - self._removed + len(line) > self._limit:
            self.dropped["buffer_full"] += 1
        else:
            self._added += len(line)
            self._lines.append(line)

    def close(self, timeout: float) -> bool:
        """Write what is left, for at most `timeout` seconds; whether all of it was taken to the files."""
        self._stop.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL):
            self._drain()
        self._drain()
        self._files.close()

    def _drain(self) -> None:
        while self._lines:
            lines = self._take()
            chunk = b"".join(lines)
            self._removed += len(chunk)
            try:
                self._files.append(chunk)
                self.written += len(lines)
            except OSError as error:
                self._drop(len(lines), error)

    def _take(self) -> list[bytes]:
        """The next lines that fit in the current file, and the next line in any case."""
        first = self._lines.popleft()
        left = min(_CHUNK, self._files.room) - len(first)
        lines = [first]
        while self._lines and len(self._lines[0]) <= left:
            left -= len(self._lines[0])
            lines.append(self._lines.popleft())
        return lines

    def _drop(self, count: int, error: OSError) -> None:
        reason = "disk_full" if error.errno in _FULL else "io_error"
        self.dropped[reason] += count
        if self._throttle.allows(reason):
            _log.error("cannot write the prediction log", extra={"reason": reason, "error": str(error)})
