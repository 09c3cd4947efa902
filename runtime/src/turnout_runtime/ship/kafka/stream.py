"""The sink itself: an idempotent producer, and a thread that waits for the brokers while rows are on their way."""

import asyncio
import logging
import os
import threading
from collections.abc import Mapping, Sequence

from turnout_runtime.config.ship import KafkaSink
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.ship.kafka.attempt import Attempt, Line
from turnout_runtime.ship.kafka.errors import failure, hopeless, too_large
from turnout_runtime.ship.kafka.messages import message
from turnout_runtime.ship.kafka.settings import bounds, settings
from turnout_runtime.ship.sink import Kind, Position, SinkFailed
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.ship")
TIMEOUT = 20.0  # seconds in which a row must be acknowledged; then it counts as failed, and comes again later
_BATCH_BYTES = 1_000_000  # brokers take 1,048,588 in one request to a partition, unless told otherwise
_WAIT = 0.1  # seconds between two looks whether the caller still waits
_SHRINK = 8  # by how much smaller batches become when a topic takes none of this size


class KafkaStream:
    """Sends rows to one or two topics; each is acknowledged by all replicas in sync when `send` returns.

    A producer that has failed is thrown away, whatever the reason, with all that it still held: what failed comes
    again from the segment, through a fresh one that has no state of before.
    """

    def __init__(
        self, name: str, config: KafkaSink, environment: Mapping[str, str] = os.environ, timeout: float = TIMEOUT
    ) -> None:
        """Nothing is connected, nor are credentials looked for, before there are rows: other sinks shall not wait."""
        self._name, self._timeout = name, timeout
        self._config, self._environment = config, environment
        self._topics: dict[Kind, str] = {
            "predictions": config.topic,
            "feedback": config.feedback_topic or config.topic,
        }
        self._batch_bytes = _BATCH_BYTES
        self._line: Line | None = None
        self._one = threading.Lock()  # a cancelled call is still leaving while the next one comes
        self._throttle = Throttle(10.0)

    async def send(self, rows: Sequence[bytes], position: Position) -> int:
        """Deliver the rows; see `StreamSink`. Rows that the topic will never take are logged, and not delivered."""
        gone = threading.Event()
        try:
            return await asyncio.to_thread(self._send, rows, position.kind, gone)
        finally:
            gone.set()

    async def close(self) -> None:
        """Let go of the brokers; what is on its way is given up."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._one:
            self._forget()

    def _send(self, rows: Sequence[bytes], kind: Kind, gone: threading.Event) -> int:
        with self._one:
            try:
                return len(rows) - self._deliver(rows, kind, gone)
            except BaseException as error:
                self._forget()
                if isinstance(error, SinkFailed):
                    raise SinkFailed(error.reason, f"sink {self._name}: {error}") from None
                raise

    def _deliver(self, rows: Sequence[bytes], kind: Kind, gone: threading.Event) -> int:
        """How many rows the topic will never take. A row larger than a batch goes alone, so it is itself too large."""
        refused, waiting = 0, rows
        while waiting:
            failed = self._attempt(waiting, kind, gone)
            waiting = [row for row in failed if len(row) <= self._batch_bytes]
            for row in failed:
                if len(row) > self._batch_bytes:
                    refused += 1
                    self._tell(row, kind)
            if waiting:
                self._batch_bytes = max(self._batch_bytes // _SHRINK, 1)
                self._forget()
        return refused

    def _attempt(self, rows: Sequence[bytes], kind: Kind, gone: threading.Event) -> list[bytes]:
        """Send the rows once; returns those that were too large together. Raises `SinkFailed` for any other failure."""
        topic = self._topics[kind]
        self._line = self._line or self._connected()
        attempt = Attempt(self._line, topic)
        for row in rows:
            while not attempt.offer(message(row, kind)):
                self._check(attempt, gone)
        while attempt.waiting:
            self._check(attempt, gone)
        for error, _ in attempt.failed:
            if not too_large(error):
                raise failure(error, self._line.trouble, topic)
        return [row for _, row in attempt.failed]

    def _connected(self) -> Line:
        try:
            told = settings(self._config, self._environment)
        except ConfigInvalid as error:
            raise SinkFailed("refused", str(error)) from None
        return Line({**told, **bounds(self._batch_bytes, self._timeout)})

    def _check(self, attempt: Attempt, gone: threading.Event) -> None:
        """Wait a little; raises when that is in vain."""
        attempt.wait(_WAIT)
        trouble = attempt.line.trouble
        if trouble is not None and hopeless(trouble) and not attempt.acknowledged:
            raise failure(trouble, trouble, attempt.topic)
        if gone.is_set():
            raise SinkFailed("timeout", "given up: the shipper ends, or waited long enough")

    def _forget(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.drop()

    def _tell(self, row: bytes, kind: Kind) -> None:
        if self._throttle.allows("too_large"):
            told = {"sink": self._name, "topic": self._topics[kind], "bytes": len(row)}
            _log.error("a row is larger than the topic takes: raise its max.message.bytes", extra=told)
