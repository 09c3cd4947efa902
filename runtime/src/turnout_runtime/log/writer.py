"""Takes records from the event loop and writes them in a thread of its own.

The loop never waits for the disk: what does not fit in the buffer, or cannot be written, is dropped and counted. Each
counter belongs to one of the two threads. Only with a flush interval of 0 is a record written at once, by whoever
brings it.
"""

import errno
import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence

from turnout_runtime.log.batches import Batches
from turnout_runtime.log.files import DirectoryFull, LogFiles
from turnout_runtime.log.recover import recover
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.log")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_BLOCK = 256 * 1024  # bytes: few system calls, and little for the caches
_IDLE = 0.5  # seconds between looks at segments' ages where nothing waits to be written
REASONS = ("buffer_full", "disk_bound", "disk_full", "io_error", "not_encodable", "record_too_large")
BUFFER = 32 * 1024**2


class LogWriter:
    """A bounded buffer and the thread that empties it into segments.

    A record is with the kernel within `flush` seconds of `put`. `loss` says whether segments that make room for others
    are a loss, because somebody was to get them, or just rotation.
    """

    def __init__(self, files: LogFiles, buffer_bytes: int = BUFFER, *, flush: float = 0.2, loss: bool = False) -> None:
        self._files, self._flush, self._loss = files, flush, loss
        self._wake, self._stopped = threading.Event(), False
        self._longest = files.longest
        self._batches = Batches(min(_BLOCK, files.longest // 4), buffer_bytes, self._wake.set)
        self._since = time.monotonic()
        self._throttle = Throttle(10.0)
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._attended = [files]
        self._dropped: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.immediate = flush == 0
        """Whether a record is with the kernel when `put` returns."""
        self.sampled_out = 0
        """Records that were not brought, since a sample is enough; whoever leaves them out counts them."""
        self.written = self.recovered = self.damaged_bytes = 0

    def attend(self, files: LogFiles) -> None:
        """Seal the segments of others in time, too, and at the end; before `start`."""
        self._attended.append(files)

    def start(self) -> None:
        """Recover what dead writers left, and begin to write."""
        self._thread.start()

    def put(self, lines: Sequence[bytes]) -> None:
        """Take records, each with its newline; never raises, and waits only where they are to be written at once."""
        if max(map(len, lines), default=0) > self._longest:
            self.drop("record_too_large", sum(len(line) > self._longest for line in lines))
            lines = [line for line in lines if len(line) <= self._longest]
        if self.immediate:
            for line in lines:
                self._append(line, 1)
        elif refused := self._batches.put(lines):
            self.drop("buffer_full", refused)

    def drop(self, reason: str, count: int = 1) -> None:
        """Count records that are lost."""
        self._dropped[reason] += count

    @property
    def dropped(self) -> dict[str, int]:
        """Records lost, by reason."""
        lost = sum(files.pruned for files in self._attended) if self._loss else 0
        return {**self._dropped, "disk_bound": self._dropped["disk_bound"] + lost}

    @property
    def rotated(self) -> int:
        """Records in segments that made room for newer ones, and that nobody else was to get."""
        return 0 if self._loss else sum(files.pruned for files in self._attended)

    @property
    def written_bytes(self) -> int:
        """Bytes of segments, headers of blocks included."""
        return self._files.written_bytes

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait to be written."""
        return self._batches.held

    @property
    def lag(self) -> float:
        """Seconds, at most, for which the oldest record has waited to be written; 0 when none does."""
        return time.monotonic() - self._since if self._batches.held else 0.0

    def close(self, timeout: float) -> bool:
        """Write what is left, for at most `timeout` seconds; whether all of it was taken to the files."""
        self._stopped = True
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._recover()
        pause = self._flush / 2 or _IDLE  # the other half is for a busy machine
        while not self._stopped:
            self._wake.wait(pause)
            self._wake.clear()
            self._drain()
            for files in self._attended:
                files.seal_old()
        self._drain()
        for files in self._attended:
            files.seal()

    def _recover(self) -> None:
        try:
            found = recover(self._files.directory)
        except OSError as error:
            _log.error("cannot recover the prediction log", extra={"error": str(error)})
            return
        for segment in found:
            self.recovered += segment.rows
            self.damaged_bytes += segment.damaged
            fields = {"rows": segment.rows, "torn_bytes": segment.torn, "damaged_bytes": segment.damaged}
            _log.warning("recovered a segment of the prediction log", extra=fields)

    def _drain(self) -> None:
        began = time.monotonic()
        while (batch := self._batches.take()) is not None:
            self._append(batch.payload, batch.rows)
            self._batches.done(batch)
        self._since = began

    def _append(self, payload: bytes | memoryview, rows: int) -> None:
        try:
            self._files.append_block(payload, rows)
            self.written += rows
        except OSError as error:
            self._failed(rows, error)

    def _failed(self, count: int, error: OSError) -> None:
        full = "disk_full" if error.errno in _FULL else "io_error"
        reason = "disk_bound" if isinstance(error, DirectoryFull) else full
        self.drop(reason, count)
        if self._throttle.allows(reason):
            _log.error("cannot write the prediction log", extra={"reason": reason, "error": str(error)})
