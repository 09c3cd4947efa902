"""Facts from a real Feast online store, in SQLite and in Redis. Feast lives in an environment of its own."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.paths import CHECKOUT, cache_root
from tests.integration.runtime.fact_servers import PASSWORD, RedisServer

_PROGRAM = Path(__file__).with_name("feast_program.py")
_RATE = {"rate": 0.5, "trips": 7}


@pytest.fixture(scope="module")
def python() -> Path:
    """Feast's own interpreter, made from the lock; kept in the cache."""
    environment = cache_root() / "feast"
    uv = shutil.which("uv") or str(cache_root() / "uv" / "bin" / "uv")
    command = [uv, "sync", "--quiet", "--locked", "--package", "turnout-runtime", "--extra", "feast"]
    command.append("--no-default-groups")
    subprocess.run(command, cwd=CHECKOUT, check=True, env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)})
    return environment / "bin" / "python"


class Program:
    """The program with one feature store."""

    def __init__(self, python: Path, folder: Path, online_store: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "project": "demo",
            "provider": "local",
            "registry": str(folder / "registry.db"),
            "online_store": online_store,
            "entity_key_serialization_version": 3,
        }
        self.command = [str(python), str(_PROGRAM), str(folder), json.dumps(config)]
        self.folder = folder

    def run(self, *arguments: str) -> list[dict[str, Any]]:
        done = subprocess.run([*self.command, *arguments], capture_output=True, check=False, cwd=self.folder)
        assert done.returncode == 0, done.stderr.decode()
        assert PASSWORD not in done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*self.command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.folder
        )


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def program(
    request: pytest.FixtureRequest, python: Path, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Program:
    folder = tmp_path_factory.mktemp(request.param)
    stores = {
        "sqlite": {"type": "sqlite", "path": str(folder / "online.db")},
        "redis": {"type": "redis", "connection_string": f"127.0.0.1:{redis.port},password={PASSWORD}"},
    }
    program = Program(python, folder, stores[request.param])
    program.run("fill")
    return program


def test_features_are_read_as_they_were_written(program: Program) -> None:
    there, half, gone, odd, both = program.run("read", "1", "2", "99", "x")
    assert there == {"value": _RATE, "source": "live", "age_ms": 60000.0, "reason": None}
    assert half["value"] == {"rate": 0.25, "trips": None}
    assert (gone["source"], gone["reason"], gone["value"]) == ("fallback", "not_found", {"rate": 0})
    assert odd["reason"] == "not_found"
    assert both["value"] == {"stats__rate": 0.5, "other__rate": 0.5}


def test_what_the_feature_store_does_not_have_stops_the_start(program: Program) -> None:
    errors = [line["error"] for line in program.run("wrong")]
    assert len(errors) == 3
    assert all(error.startswith("facts.f.feast: the feature store does not have that: ") for error in errors)
    assert "gone" in errors[0]
    assert "gone" in errors[1]


@pytest.mark.parametrize("program", ["redis"], indirect=True)
@pytest.mark.parametrize("fault", ["hangs", "dies"])
def test_a_store_that_fails_is_found_again(program: Program, redis: RedisServer, fault: str) -> None:
    hurt, heal = (redis.freeze, redis.thaw) if fault == "hangs" else (redis.stop, redis.start)
    watcher = program.start("watch", "8")
    assert watcher.stdout is not None
    try:
        _wait_for_live(watcher)
        hurt()
        hurt_at = time.time()
        time.sleep(2.0)
        heal()
        healed_at = time.time()
        output = watcher.communicate(timeout=60)[0]
    finally:
        redis.thaw()
        watcher.kill()
        watcher.communicate()
    seen = [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]
    hurting = [fact for fact in seen if hurt_at + 0.2 < fact["at"] - fact["took"] and fact["at"] < healed_at]
    assert len(hurting) > 10
    assert {fact["source"] for fact in hurting} == {"fallback"}
    assert {fact["reason"] for fact in hurting} <= {"timeout", "error", "breaker_open"}
    took = sorted(fact["took"] for fact in seen)
    assert took[int(len(took) * 0.99)] <= 0.5
    recovered = next(fact["at"] for fact in seen if fact["at"] > healed_at and fact["reason"] in (None, "not_found"))
    assert recovered - healed_at < 5.0


def _wait_for_live(watcher: "subprocess.Popen[bytes]") -> None:
    assert watcher.stdout is not None
    for line in watcher.stdout:
        if line.startswith(b"{") and json.loads(line)["source"] == "live":
            return
    pytest.fail("the store never answered")
