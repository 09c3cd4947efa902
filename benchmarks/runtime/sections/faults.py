"""Section 3: a fact store fails and comes back under steady load; answers go on in time, with marked fallbacks."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.harness.openloop import offer
from benchmarks.harness.outcomes import Outcomes, schedule
from benchmarks.report import Row, at_least, at_most
from benchmarks.runtime.bench import Bench
from benchmarks.runtime.ours import TIMEOUT, Turnout
from benchmarks.runtime.services.stores import Fault, HttpStore, RedisStore, Store, faults
from tests.cluster.progress import step

RATE = 200.0
FACT_TIMEOUT = 0.04
BEFORE, DURING, AFTER = 1.0, 4.0, 6.0
RECOVERY = 5.0
_STRAYS = 0.01
_SETTLING = 0.1  # seconds: what was on its way when the fault began
STORES = ("Redis", "HTTP service")
FAULTS = ("hangs", "dies", "slows to 1 s", "returns garbage")


@dataclass(frozen=True)
class Seen:
    """One fault: milliseconds, shares of 1, and the seconds until facts were live again."""

    p99: float | None = None
    p99_before: float | None = None
    failed: float | None = None
    fallback: float | None = None
    recovery: float | None = None


_UNSEEN = Seen()


@dataclass
class Result:
    """By store and fault."""

    seen: dict[str, Seen] = field(default_factory=dict)


def measure(bench: Bench, result: Result) -> None:
    with ExitStack() as stack:
        # One thread for all faults: what it starts is told to die with it.
        hand = stack.enter_context(ThreadPoolExecutor(1))
        redis = RedisStore(bench.cores.load, {payment["entity_id"] for payment in bench.payments})
        http = HttpStore(bench.cores.load)
        redis.start(stack)
        http.start(stack)
        server = Turnout("faults", bench.cores.server, "facts", facts=declared(redis.port, http.port))
        stack.enter_context(server)
        server.ready(bench.payments[0])
        stores: tuple[Store, ...] = (redis, http)
        for name, store in zip(STORES, stores, strict=True):
            for fault in faults(store):
                with step(f"{name} {fault.title}"):
                    result.seen[f"{name} {fault.title}"] = _run(bench, server, fault, hand)


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


def _run(bench: Bench, server: Turnout, fault: Fault, hand: Executor) -> Seen:
    started, told = threading.Event(), threading.Event()
    spell = hand.submit(_cast, fault, started, told)
    due = schedule(RATE, BEFORE + DURING + AFTER)
    try:
        outcomes = offer(server.port, server.messages(bench.payments), due, bench.connections, on_start=started.set)
    finally:
        told.set()
        started.set()
        begin, end = spell.result()
    return judge(outcomes, begin, end)


def _cast(fault: Fault, started: threading.Event, stopped: threading.Event) -> tuple[float, float]:
    """Let the fault happen and pass; when it had begun and when it was over, in seconds from the load's start."""
    started.wait()
    since = time.perf_counter()
    stopped.wait(BEFORE)
    try:
        fault.begin()
        begun = time.perf_counter() - since
        stopped.wait(DURING)
    finally:
        fault.end()
    return begun, time.perf_counter() - since


def judge(outcomes: Outcomes, begin: float, end: float) -> Seen:
    """What a fault from `begin` to `end` did, in seconds from the load's start."""
    before, during = outcomes.between(0.0, begin), outcomes.between(begin + _SETTLING, end)
    return Seen(
        p99=during.latency(99),
        p99_before=before.latency(99),
        failed=1 - len(outcomes.having(200)) / max(1, len(outcomes)),
        fallback=float(during.fallback.mean()) if len(during) else 0.0,
        recovery=recovery(outcomes, end),
    )


def recovery(outcomes: Outcomes, end: float) -> float | None:
    """Seconds from `end` until a whole second of answers with live facts begins (a hundredth may fail); None: never."""
    spoilt = outcomes.fallback | (outcomes.status != 200)
    last = outcomes.due.max(initial=0.0) - 1.0
    for moment in (end, *outcomes.due[spoilt & (outcomes.due >= end)]):
        second = (outcomes.due > moment) & (outcomes.due <= moment + 1.0)
        if moment <= last and spoilt[second].mean() <= _STRAYS:
            return float(moment) - end
    return None


def rows(result: Result) -> Iterator[Row]:
    for store in STORES:
        for fault in FAULTS:
            name = f"{store} {fault}"
            seen = result.seen.get(name, _UNSEEN)
            yield at_most(f"{name}: p99", seen.p99, TIMEOUT * 1000, "ms")
            yield at_least("  answers marked as fallback", seen.fallback, 0.99)
            yield at_most("  requests failed", seen.failed, 0)
            yield at_most("  recovery", seen.recovery, RECOVERY, "s")
