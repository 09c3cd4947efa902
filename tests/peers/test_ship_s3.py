"""The log at a real S3 store: exactly once through kills, breaks and wrong credentials."""

import json
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.runtime.log_shipping import Written, left, metric
from tests.peers.daemons import Wire, free_port
from tests.peers.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore
from tests.unit.runtime.ship.segments import delivered, row, segment, write

from turnout_runtime.cli import main
from turnout_runtime.ship.naming import prefixes, scope
from turnout_runtime.ship.retention import Keep, prune
from turnout_runtime.ship.roots import root_of


def config(tmp_path: Path, store: ObjectStore, name: str, port: int | None = None) -> tuple[Path, Path, Path]:
    """A log, ship.json with a prefix of the store as its sink, and the folder in which that store keeps it."""
    log, path = tmp_path / "log", tmp_path / "ship.json"
    sink = {"uri": f"s3://models/{name}", "endpoint": f"http://127.0.0.1:{port or store.port}", "region": "us-east-1"}
    sinks = [{"name": "lake", "objectStore": sink}]
    path.write_text(json.dumps({"directory": str(log), "pod": "pod-1", "sinks": sinks, "port": 0}))
    return log, path, store.folder / name


def ship(path: Path, *options: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "turnout_runtime.cli", "log", "ship", "--config", str(path), "--once", *options]
    return subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)


def test_killed_at_random_every_row_is_there_once(s3: ObjectStore, tmp_path: Path) -> None:
    log, path, lake = config(tmp_path, s3, "ship/killed")
    written, chance = Written(log), random.Random(3)
    with Wire(s3.port) as wire:
        _, path, _ = config(tmp_path, s3, "ship/killed", wire.port)
        for number in range(8):
            written.more(2)
            wire.cut_after = 300 if number % 3 == 1 else None
            command = [sys.executable, "-m", "turnout_runtime.cli", "log", "ship", "--config", str(path)]
            with subprocess.Popen(command, env=s3.environment(), stderr=subprocess.DEVNULL) as process:
                time.sleep(chance.uniform(0.5, 2.0))
                process.send_signal(signal.SIGKILL)
        wire.cut_after = None
        assert ship(path, **s3.environment()).returncode == 0
    assert delivered(lake) == written.expected("p")
    assert delivered(lake, "feedback_id", "feedback") == written.expected("f")
    assert left(log) == 0


def test_a_store_that_comes_back_gets_what_it_missed(s3: ObjectStore, tmp_path: Path) -> None:
    port = free_port()
    log, path, lake = config(tmp_path, s3, "ship/back", port)
    written, about = Written(log), free_port()
    written.more(3)
    text = json.loads(path.read_text())
    sinks = [*text["sinks"], {"name": "disk", "directory": {"path": str(tmp_path / "disk")}}]
    path.write_text(json.dumps({**text, "port": about, "sinks": sinks}))
    command = [sys.executable, "-m", "turnout_runtime.cli", "log", "ship", "--config", str(path)]
    with subprocess.Popen(command, env=s3.environment(), stderr=subprocess.PIPE) as process:
        try:
            until_equal(lambda: len(delivered(tmp_path / "disk")), written.rows)
            until_equal(lambda: metric(about, "turnout_log_sink_up"), {'{sink="lake"}': 0.0, '{sink="disk"}': 1.0})
            assert list(metric(about, "turnout_log_sink_failures_total")) == ['{reason="unreachable",sink="lake"}']
            with Wire(s3.port, port):
                until_equal(lambda: left(log), 0)
        finally:
            process.kill()
        assert process.stderr is not None
        assert b"cannot reach the store" in process.stderr.read()
    assert delivered(lake) == delivered(tmp_path / "disk") == written.expected("p")


def until_equal(look: object, wanted: object, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while (found := look()) != wanted:  # type: ignore[operator]
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "WRONGBUTSECRET"}, b"the store refuses the credentials"),
        ({"TURNOUT_LOG_LAKE_AWS_SECRET_ACCESS_KEY": "WRONGBUTSECRET"}, b"the store refuses the credentials"),
    ],
)
def test_wrong_credentials_are_told_and_never_shown(
    s3: ObjectStore, tmp_path: Path, change: dict[str, str], told: bytes
) -> None:
    log, path, _ = config(tmp_path, s3, "ship/locked")
    Written(log).more(1)
    ended = ship(path, **{**s3.environment(), **change})
    assert ended.returncode == 1
    assert told in ended.stderr
    for secret in ("WRONGBUTSECRET", ACCESS_KEY, SECRET_KEY):
        assert secret.encode() not in ended.stderr + ended.stdout
    right = {f"TURNOUT_LOG_LAKE_{name}": value for name, value in s3.environment().items()}
    assert ship(path, **{**s3.environment(secret="wrong"), **right}).returncode == 0


def test_a_bucket_that_is_not_there(s3: ObjectStore, tmp_path: Path) -> None:
    log, path, _ = config(tmp_path, s3, "x")
    path.write_text(path.read_text().replace("s3://models/x", "s3://no-such-bucket/x"))
    Written(log).more(1)
    ended = ship(path, **s3.environment())
    assert ended.returncode == 1
    assert b"sink lake: s3://no-such-bucket/x: no such bucket" in ended.stderr


def test_large_files_go_in_parts(s3: ObjectStore, tmp_path: Path) -> None:
    log, path, lake = config(tmp_path, s3, "ship/large")
    log.mkdir()
    chance = random.Random(1)
    write(log, 1, [row(number, details=chance.randbytes(400_000).hex()) for number in range(100)], per_block=1)
    ended = ship(path, **s3.environment())
    assert ended.returncode == 0, ended.stderr
    assert delivered(lake) == [f"p{number}" for number in range(100)]
    assert next(lake.rglob("*.parquet")).stat().st_size > 32 * 2**20
    assert not (log / segment(1).name).exists()


async def test_retention_in_the_store(cloud: ObjectStore, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for hours in (1, 30, 60):
        hour = f"{now - timedelta(hours=hours):%Y-%m-%dT%H}"
        for objective in ("delay", "other"):
            cloud.put(f"ship/kept/predictions/{scope('flights', objective)}/hour={hour}/a.parquet", b"12345")
    root = root_of("s3://models/ship/kept")
    gone = await prune(root, prefixes([scope("flights", "delay")]), Keep(48 * 3600, None), now)
    assert len(gone) == 1
    assert len(await root.files("")) == 5
    await root.remove([gone[0].name])


def test_prune_in_the_store(cloud: ObjectStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for hour in range(3):
        cloud.put(f"ship/small/predictions/{scope('f', 'd')}/hour=2026-01-01T0{hour}/a.parquet", b"12345")
    assert main(["log", "prune", "s3://models/ship/small/", "--max-size", "10"]) == 0
    assert "deleted 1 files, 5 bytes" in capsys.readouterr().out
    assert main(["log", "prune", "s3://models/ship/small/", "--older-than", "1h"]) == 0
    assert "deleted 2 files" in capsys.readouterr().out
