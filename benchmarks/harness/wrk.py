"""Closed-loop load by wrk: as many requests as the server answers, over a fixed number of connections."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import proc
from benchmarks.harness.servers import Server

_SUMMARY = "BENCH "
_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Burst:
    """One measurement. `rate`: answers with status 200 a second; latencies in milliseconds, `cpu` in µs a request.

    `others`: cores that neither the server nor the load used: other people's work, which spoils figures.
    """

    rate: float
    p50: float
    p99: float
    failed: int
    cpu: float
    others: float


def press(server: Server, messages: Sequence[bytes], core: int, connections: int, seconds: int) -> Burst:
    """Load the server with whole HTTP requests, in turn, for some seconds. Raises RuntimeError when wrk fails."""
    with tempfile.NamedTemporaryFile(prefix="turnout-bench-") as file:
        file.writelines(b"%d\n%b" % (len(each), each) for each in messages)
        file.flush()
        url = f"http://127.0.0.1:{server.port}{server.dialect.path}"
        flags = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_SCRIPT)]
        argv = ["taskset", "-c", str(core), "wrk", *flags, url]
        before, machine, own = server.family, _machine(), _children()
        done = subprocess.run(
            argv, env={**os.environ, "BENCH_MESSAGES": file.name}, capture_output=True, text=True, timeout=seconds + 30
        )
        spent = proc.spent(before, server.family)
        work = _machine() - machine - spent - (_children() - own)
    return burst(summary(done.stdout, done.stderr), spent, work)


def summary(output: str, errors: str = "") -> dict[str, Any]:
    """The line of wrk.lua; raises RuntimeError when there is none."""
    lines = [line for line in output.splitlines() if line.startswith(_SUMMARY)]
    if not lines:
        raise RuntimeError(f"wrk failed: {output}{errors}")
    parsed: dict[str, Any] = json.loads(lines[0].removeprefix(_SUMMARY))
    return parsed


def burst(counts: dict[str, Any], spent: float, others: float) -> Burst:
    """From wrk's counts, the server's CPU seconds and those of others."""
    requests, seconds = counts["requests"], counts["microseconds"] / 1e6
    return Burst(
        rate=(requests - counts["refused"]) / seconds,
        p50=counts["p50"] / 1000,
        p99=counts["p99"] / 1000,
        failed=counts["refused"] + counts["broken"],
        cpu=spent / max(1, requests) * 1e6,
        others=max(0.0, others) / seconds,
    )


def _machine() -> float:
    return proc.machine_cpu(Path("/proc/stat").read_text())


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system + times.user + times.system
