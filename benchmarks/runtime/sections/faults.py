"""Section 3: a fact store fails and comes back under steady load; answers go on in time, with marked fallbacks."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report import Row, at_least, at_most
from benchmarks.runtime.bench import Bench
from benchmarks.runtime.openloop import offer
from benchmarks.runtime.ours import TIMEOUT, Turnout
from benchmarks.runtime.outcomes import Outcomes, schedule
from benchmarks.runtime.services.stores import Fault, HttpStore, RedisStore, faults
from tests.cluster.progress import step

RATE = 200.0
FACT_TIMEOUT = 0.04
BEFORE, DURING, AFTER = 1.0, 4.0, 6.0
RECOVERY = 5.0
_SETTLING = 0.1  # seconds: what was on its way when the fault began
STORES = ("Redis", "HTTP service")
FAULTS = ("hangs", "dies", "slows to 1 s", "returns garbage")


@dataclass(frozen=True)
class Seen:
    """One fault: milliseconds, shares of 1, and the seconds until the last fallback after its end."""

    p99: float | None
    p99_before: float | None
    failed: float
    fallback: float
    recovery: float


@dataclass
class Result:
    """By store and fault."""

    seen: dict[str, Seen] = field(default_factory=dict)


def measure(bench: Bench, result: Result) -> None:
    with ExitStack() as stack:
        redis = RedisStore(bench.cores.load, {payment["entity_id"] for payment in bench.payments})
        http = HttpStore(bench.cores.load)
        redis.start(stack)
        http.start(stack)
        server = Turnout("faults", bench.cores.server, "facts", facts=declared(redis.port, http.port))
        stack.enter_context(server)
        server.ready(bench.payments[0])
        for name, store in zip(STORES, (redis, http), strict=True):
            for fault in faults(store):
                with step(f"{name} {fault.title}"):
                    result.seen[f"{name} {fault.title}"] = _run(bench, server, fault)


def declared(redis: int, http: int) -> Mapping[str, Any]:
    """spec.facts: a Redis and an HTTP service on these ports, with fallbacks."""
    location = {"url": f"redis://127.0.0.1:{redis}/0", "keyPrefix": "account:"}
    return {
        "account": {"redis": location, "timeoutSeconds": FACT_TIMEOUT, "fallback": {"limit": 10.0}},
        "device": {
            "http": {"url": f"http://127.0.0.1:{http}/device/{{key}}"},
            "timeoutSeconds": FACT_TIMEOUT,
            "fallback": {"risk": 1.0},
        },
    }


def _run(bench: Bench, server: Turnout, fault: Fault) -> Seen:
    clock = _Clock()
    begin = threading.Timer(BEFORE, clock.noted("begin", fault.begin))
    end = threading.Timer(BEFORE + DURING, clock.noted("end", fault.end))

    def start() -> None:
        clock.start()
        begin.start()
        end.start()

    due = schedule(RATE, BEFORE + DURING + AFTER)
    try:
        outcomes = offer(server.port, server.messages(bench.payments), due, bench.connections, on_start=start)
    finally:
        for timer in (begin, end):
            timer.cancel()
            if timer.ident is not None:
                timer.join()
        if "end" not in clock.times:
            fault.end()
    return judge(outcomes, clock.times["begin"], clock.times["end"])


class _Clock:
    """When things were done, in seconds from the load's start."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}
        self._started = 0.0

    def start(self) -> None:
        self._started = time.perf_counter()

    def noted(self, name: str, action: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            action()
            self.times[name] = time.perf_counter() - self._started

        return run


def judge(outcomes: Outcomes, begin: float, end: float) -> Seen:
    """What a fault from `begin` to `end` did, in seconds from the load's start."""
    before, during = outcomes.between(0.0, begin), outcomes.between(begin + _SETTLING, end)
    after = outcomes.between(end, float("inf"))
    bad = after.due[after.fallback | (after.status != 200)]
    return Seen(
        p99=during.latency(99),
        p99_before=before.latency(99),
        failed=1 - len(outcomes.having(200)) / max(1, len(outcomes)),
        fallback=float(during.fallback.mean()) if len(during) else 0.0,
        recovery=float(bad.max()) - end if len(bad) else 0.0,
    )


def rows(result: Result) -> Iterator[Row]:
    for store in STORES:
        for fault in FAULTS:
            name = f"{store} {fault}"
            seen = result.seen.get(name)
            yield at_most(f"{name}: p99", seen and seen.p99, TIMEOUT * 1000, "ms")
            yield at_least("  answers marked as fallback", seen and seen.fallback, 0.99)
            yield at_most("  requests failed", seen and seen.failed, 0)
            yield at_most("  recovery", seen and seen.recovery, RECOVERY, "s")
