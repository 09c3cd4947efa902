"""`python -m benchmarks.control.counted SOCKET MODULE [ARGUMENT…]`: runs an operator and counts what it does.

Both operators speak HTTP by aiohttp, so one wrapper counts the requests of both alike. Each connection to the Unix
socket SOCKET is answered with one JSON object and closed.
"""

import collections
import json
import runpy
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from prometheus_client import REGISTRY

CLUSTER_STATE = frozenset({"leases", "secrets"})
_counts: collections.Counter[tuple[str, str, str]] = collections.Counter()
_first_write: dict[str, float] = {}


def describe(method: str, url: str) -> tuple[str, str, str]:
    """Verb, namespace and resource (with subresource) of a request to the API server."""
    parts = urlsplit(url)
    words = parts.path.strip("/").split("/")
    words = words[2:] if words[0] == "api" else words[3:]
    namespace = ""
    if len(words) > 2 and words[0] == "namespaces":
        namespace, words = words[1], words[2:]
    resource = "/".join([*words[:1], *words[2:]])
    verb = "WATCH" if "watch=true" in parts.query else "LIST" if method == "GET" and len(words) == 1 else method
    return verb, namespace, resource


def install() -> None:
    """Count every request from now on, and when the first write per namespace was answered (CLOCK_MONOTONIC)."""
    session: Any = aiohttp.ClientSession
    inner = session._request

    async def counted(self: Any, method: str, url: Any, **options: Any) -> Any:
        what = describe(method, str(url))
        _counts[what] += 1
        answer = await inner(self, method, url, **options)
        if method != "GET" and what[2] not in CLUSTER_STATE:
            _first_write.setdefault(what[1], time.monotonic())
        return answer

    session._request = counted


def snapshot() -> dict[str, Any]:
    """Counts so far, CPU seconds, memory (KiB) and how much was reconciled."""
    samples = [s for family in REGISTRY.collect() for s in family.samples if s.labels.get("result", "ok") == "ok"]
    return {
        "requests": [[*what, count] for what, count in _counts.copy().items()],
        "first_write": dict(_first_write),
        "cpu": time.process_time(),
        "memory": dict(_memory()),
        "reconciles": {s.labels["kind"]: s.value for s in samples if s.name == "turnout_operator_reconciles_total"},
        "waiting": sum(s.value for s in samples if s.name == "turnout_operator_queue_depth"),
    }


def _memory() -> list[tuple[str, int]]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return [(line.split(":")[0], int(line.split()[1])) for line in lines if line.startswith(("VmRSS:", "VmHWM:"))]


def serve(path: str) -> None:
    """Answer on the socket; a thread that sleeps unless asked."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(json.dumps(snapshot()).encode())


def main() -> None:
    """Run the module as if it had been started by its name."""
    path, module, *arguments = sys.argv[1:]
    install()
    threading.Thread(target=serve, args=(path,), daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
