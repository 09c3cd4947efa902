"""A server under measurement: how to ask it, and how to know that it answers as all others do."""

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any, Self

from benchmarks.harness import proc
from benchmarks.harness.processes import Process
from benchmarks.harness.wire import message

Answer = dict[str, Any]
_TOLERANCE = 1e-6
_TRIES = 3


@dataclass(frozen=True)
class Dialect:
    """How a server wants its requests (-> a JSON body, and headers) and gives its answers (-> score and decision)."""

    path: str
    body: Callable[[Answer], bytes]
    read: Callable[[bytes], Answer]
    headers: Callable[[Answer], Mapping[str, str]] = lambda _: {}


def compact(document: Any) -> bytes:
    """JSON without spaces, as clients send it."""
    return json.dumps(document, separators=(",", ":")).encode()


class Server(Process):
    """A process that answers predictions on loopback."""

    def __init__(
        self,
        name: str,
        argv: Sequence[object],
        port: int,
        dialect: Dialect,
        core: int,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        super().__init__(name, argv, core, env, cwd)
        self.port, self.dialect = port, dialect
        self.start_seconds = 0.0

    def messages(self, asked: Sequence[Answer]) -> list[bytes]:
        """Whole HTTP requests."""
        dialect = self.dialect
        return [message(dialect.path, dialect.body(each), dialect.headers(each)) for each in asked]

    def ready(self, payment: Answer, seconds: float = 60.0) -> Self:
        """Wait for its first good answer."""
        started = time.monotonic()
        self.wait_until(lambda: self._answers(payment), seconds)
        self.start_seconds = time.monotonic() - started
        self.remember()
        return self

    def ask(self, payment: Answer) -> Answer:
        """One answer, with `score` and `decision`. Raises OSError, or ValueError for any other status than 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            body = self.dialect.body(payment)
            headers = {"Content-Type": "application/json", **self.dialect.headers(payment)}
            connection.request("POST", self.dialect.path, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"{self.name} answered {response.status}: {content[:300]!r}")
        return self.dialect.read(content)

    def check_answers(self, payments: Sequence[Answer], wanted: Sequence[Answer]) -> None:
        """Raises ValueError for an answer that is not the one wanted."""
        for payment, want in zip(payments, wanted, strict=True):
            got = self._asked(payment)
            if got["decision"] != want["decision"] or not isclose(got["score"], want["score"], abs_tol=_TOLERANCE):
                raise ValueError(f"{self.name} answered {got}, not {want}")

    @property
    def memory(self) -> float:
        """Resident MiB of all its processes."""
        return proc.resident(self.family) / 2**20

    def _asked(self, payment: Answer) -> Answer:
        """One answer from a server that may just now be busy with its start."""
        for _ in range(_TRIES - 1):
            with suppress(ValueError):
                return self.ask(payment)
        return self.ask(payment)

    def _answers(self, payment: Answer) -> bool:
        try:
            self.ask(payment)
        except (OSError, ValueError, http.client.HTTPException):
            return False
        return True
