"""A runtime as it runs in a pod: its own process, real ports, its log and termination message in a folder."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.runtime.forks import Forked, Forkery
from tests.unit.runtime.builders import runtime_config

from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.log.read import rows

START_SECONDS = 20.0  # generous: the machine may be busy; an uncontended start takes well under one second
FORKERY: Forkery | None = None  # set for the whole package by its conftest
PREDICT = "/v1/demo/echo/predict"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


class Runtime:
    """One process; `config` is what the operator would have rendered, None for nothing at all."""

    def __init__(self, folder: Path, config: dict[str, Any] | None, *, fresh: bool = False, **environment: str) -> None:
        """`fresh` starts the command as an image does, instead of forking it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.config = folder, config or runtime_config(folder)
        if config is not None:
            (folder / "runtime.json").write_text(json.dumps(config))
        self.log = Path(self.config["predictionLog"]["directory"])
        arguments = ["--config", str(folder / "runtime.json"), "--cache", str(folder / "cache")]
        arguments += ["--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--grpc-port", "0"]
        environment["TURNOUT_TERMINATION_LOG"] = str(folder / "termination")
        self._stderr = folder / "stderr"
        self._stderr.write_bytes(b"")
        self.process = (_start if fresh else _fork)(arguments, self._stderr, environment)

    def events(self) -> list[dict[str, Any]]:
        """What it told on stderr so far."""
        whole = self._stderr.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def port(self, server: str) -> int:
        return next(e["port"] for e in self.events() if e["message"] == "listening" and e["server"] == server)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            assert self.process.poll() is None, f"exited with {self.process.returncode}: {self.events()}"
            assert time.monotonic() < deadline, f"not in time: {self.events()}"
            time.sleep(0.01)

    def wait_ready(self) -> "Runtime":
        self.wait_for(lambda: any(e.get("phase") == "ready" for e in self.events()))
        return self

    def get(self, path: str) -> Answer:
        return self.send("GET", path, server="admin")

    def predict(self, context: Any = None, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        body = json.dumps({"context": {} if context is None else context, **fields}).encode()
        return self.send("POST", PREDICT, body, headers)

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, server: str = "http"
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port(server), timeout=20)
        try:
            connection.request(method, path, body, headers or {}, encode_chunked=hasattr(body, "__next__"))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        lowered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, lowered, _parsed(content, lowered.get("content-type", "")))

    def metric(self, sample: str) -> float:
        """Value of one sample, labels as Prometheus writes them; 0 when there is none."""
        lines = self.get("/metrics").body.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == sample), 0.0)

    def records(self) -> list[dict[str, Any]]:
        """The prediction log so far."""
        return [json.loads(line) for line in b"".join(rows(self.log)).splitlines()] if self.log.is_dir() else []

    def record_of(self, answer: Answer) -> dict[str, Any]:
        """The record of an answer, which reaches the disk a moment after it."""
        prediction_id, found = answer.body["prediction_id"], list[dict[str, Any]]()

        def arrived() -> bool:
            found[:] = [record for record in self.records() if record["prediction_id"] == prediction_id]
            return bool(found)

        self.wait_for(arrived)
        return found[0]

    def terminate(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_SECONDS)

    def last_words(self) -> dict[str, str]:
        """The termination message of a process that has to end by itself."""
        assert self.process.wait(START_SECONDS) == 1
        words: dict[str, str] = json.loads((self.folder / "termination").read_bytes())
        return words


def _start(arguments: list[str], stderr: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    with stderr.open("wb") as stream:
        command = [sys.executable, "-m", "turnout_runtime", *arguments]
        return subprocess.Popen(command, stderr=stream, env={**os.environ, **environment})


def _fork(arguments: list[str], stderr: Path, environment: dict[str, str]) -> Forked:
    assert FORKERY is not None
    return FORKERY.start(arguments, stderr, environment)


def _parsed(content: bytes, content_type: str) -> Any:
    return json.loads(content) if "json" in content_type else content.decode()


def serving(**overrides: Any) -> dict[str, Any]:
    """The serving section with overrides."""
    limits = {"concurrency": 8, "maxQueueDepth": 64, "maxQueueWaitSeconds": 0.05, "timeoutSeconds": 1.0}
    return {**limits, "drainSeconds": 0.0, **overrides}


def config_for(folder: Path, source: Path, **overrides: Any) -> dict[str, Any]:
    """Configuration for a bundle folder on a volume."""
    bundle = {"uri": f"pvc://claim/{source.name}", "digest": digest_folder(source), "path": str(source)}
    return runtime_config(folder, **{"bundle": bundle, **overrides})


@contextmanager
def running(folder: Path, config: dict[str, Any], *, fresh: bool = False, **environment: str) -> Iterator[Runtime]:
    """A ready runtime, gone afterwards whatever happened."""
    runtime = Runtime(folder, config, fresh=fresh, **environment)
    try:
        yield runtime.wait_ready()
    finally:
        stop(runtime)


def stop(runtime: Runtime) -> None:
    if runtime.process.poll() is None:
        runtime.process.kill()
        runtime.process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
