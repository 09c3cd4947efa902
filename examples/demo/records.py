"""Reads the prediction log of every pod, as anyone with kubectl can."""

import shlex
import time
from pathlib import Path
from typing import Any

import orjson

from demo.shell import CommandFailed, kubectl, run

Record = dict[str, Any]
PODS = "app.kubernetes.io/managed-by=turnout"
LOG_FOLDER = "/var/log/turnout"
PATIENCE_SECONDS = 15.0  # rows are written off the request path, a moment after the answer


def read(namespace: str, prefix: str, expected: int) -> list[Record]:
    """Rows whose request id starts with the prefix; waits a while until the expected number is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        late = time.monotonic() > deadline
        try:
            rows = _rows(namespace, prefix)
        except CommandFailed:  # a pod may leave between being listed and being read
            if late:
                raise
        else:
            if len(rows) >= expected or late:
                return rows
        time.sleep(0.5)


def copy(namespace: str, folder: Path) -> int:
    """The log's segments of every pod that runs, each in a folder of its own; how many pods there are."""
    pods = _pods(namespace)
    for pod in pods:
        target = folder / pod.removeprefix("pod/")
        target.mkdir(parents=True)
        pack = f"tar -c -C {LOG_FOLDER} . || [ $? = 1 ]"  # 1: a segment grew meanwhile
        fetch = f"kubectl exec -n {namespace} {pod} -- sh -c {shlex.quote(pack)}"
        run("bash", "-o", "pipefail", "-c", f"{fetch} | tar -x -C {shlex.quote(str(target))}")
    return len(pods)


def _pods(namespace: str) -> list[str]:
    running = ("-l", PODS, "--field-selector=status.phase=Running")
    return kubectl("get", "pods", "-n", namespace, *running, "-o", "name").split()


def _rows(namespace: str, prefix: str) -> list[Record]:
    mark = f'"{prefix}-'
    lines = (line for pod in _pods(namespace) for line in _log(namespace, pod).split("\n") if mark in line)
    return [row for row in map(orjson.loads, lines) if str(row["request_id"]).startswith(f"{prefix}-")]


def _log(namespace: str, pod: str) -> str:
    return kubectl("exec", "-n", namespace, pod, "--", "turnout", "log", "cat", LOG_FOLDER)
