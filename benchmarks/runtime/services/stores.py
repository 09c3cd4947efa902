"""The two fact servers of the benchmark, with their ways to fail."""

import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.harness.processes import Process, free_port, listens
from redis import Redis
from redis.exceptions import RedisError

_PATIENCE = 10.0


class Store(Protocol):
    """A fact server: each of these makes it fail or puts it right."""

    def hang(self) -> None: ...
    def wake(self) -> None: ...
    def die(self) -> None: ...
    def revive(self) -> None: ...
    def become(self, mode: signal.Signals) -> None: ...


class RedisStore:
    """A real Redis behind a proxy; `port` is the proxy's."""

    def __init__(self, core: int, keys: Iterable[str]) -> None:
        self.port, self._inner = free_port(), free_port()
        self._values = {f"account:{key}": json.dumps({"limit": 100.0}) for key in keys}
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", str(self._inner)]
        self._redis = Process("redis", [shutil.which("redis-server") or "redis-server", *options], core)
        self._proxy = _module("proxy", core, self.port, self._inner)

    def start(self, stack: ExitStack) -> None:
        stack.callback(self._redis.stop)
        stack.callback(self._proxy.stop)
        self.revive()

    def hang(self) -> None:
        self._redis.signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._redis.signal(signal.SIGCONT)

    def die(self) -> None:
        self._proxy.kill()
        self._redis.kill()

    def revive(self) -> None:
        self._redis.start()
        self._redis.wait_until(self._filled, _PATIENCE)
        self._proxy.start()
        self._proxy.wait_until(lambda: listens(self.port), _PATIENCE)

    def become(self, mode: signal.Signals) -> None:
        self._proxy.signal(mode)

    def _filled(self) -> bool:
        try:
            with Redis(port=self._inner) as client:
                return bool(client.mset(self._values))
        except RedisError:
            return False


class HttpStore:
    """An HTTP service."""

    def __init__(self, core: int) -> None:
        self.port = free_port()
        self._service = _module("http", core, self.port)

    def start(self, stack: ExitStack) -> None:
        stack.callback(self._service.stop)
        self.revive()

    def hang(self) -> None:
        self._service.signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._service.signal(signal.SIGCONT)

    def die(self) -> None:
        self._service.kill()

    def revive(self) -> None:
        self._service.start()
        self._service.wait_until(lambda: listens(self.port), _PATIENCE)

    def become(self, mode: signal.Signals) -> None:
        self._service.signal(mode)


@dataclass(frozen=True)
class Fault:
    """One way to fail, and back."""

    title: str
    begin: Callable[[], Any]
    end: Callable[[], Any]


def faults(store: Store) -> list[Fault]:
    """All ways of a store."""
    return [
        Fault("hangs", store.hang, store.wake),
        Fault("dies", store.die, store.revive),
        Fault("slows to 1 s", *_modes(store, signal.SIGUSR1)),
        Fault("returns garbage", *_modes(store, signal.SIGUSR2)),
    ]


def _modes(store: Store, mode: signal.Signals) -> tuple[Callable[[], None], Callable[[], None]]:
    return lambda: store.become(mode), lambda: store.become(signal.SIGHUP)


def _module(name: str, core: int, *ports: int) -> Process:
    argv = [sys.executable, "-m", f"benchmarks.runtime.services.{name}", *map(str, ports)]
    return Process(f"fact-{name}", argv, core)
