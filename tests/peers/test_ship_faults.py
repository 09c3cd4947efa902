"""An object store that dies or stands still while a log is shipped there: each row is in it once, in the end."""

import os
import signal
from pathlib import Path

import pytest
from tests.peers.daemons import free_port
from tests.peers.object_store import BUCKET, ObjectStore, serving_store
from tests.peers.shipping import Log, Shipper, counted, eventually

LAKE = {"name": "lake", "objectStore": {"uri": f"s3://{BUCKET}/log"}}


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


def test_a_store_that_is_killed_gets_each_row_once(tmp_path: Path, log: Log) -> None:
    store = ObjectStore(free_port(), tmp_path / "store" / "data" / BUCKET)
    shipper = Shipper(tmp_path, log, [LAKE], {**os.environ, **store.environment()})
    with serving_store(tmp_path / "store", store.port) as server:
        log.write(6_000)
        eventually(lambda: counted(store.folder / "log")[0] > 0, "files arrive")
        server.kill()
    log.write(6_000)
    eventually(lambda: shipper.metric("turnout_log_sink_failures_total") > 0, "the shipper has seen it")
    assert shipper.metric("turnout_log_sink_up") == 0
    assert shipper.metric("turnout_log_pending_bytes") > 0
    with serving_store(tmp_path / "store", store.port):
        log.close()
        shipper.finish()
    assert counted(store.folder / "log") == (12_000, 12_000)
    assert log.segments() == []


def test_a_store_that_stands_still_holds_up_nobody_else(tmp_path: Path, log: Log) -> None:
    """The shipper is killed, too, with a request on its way that the store answers when nobody listens."""
    store = ObjectStore(free_port(), tmp_path / "store" / "data" / BUCKET)
    disk = {"name": "disk", "directory": {"path": str(tmp_path / "disk")}}
    shipper = Shipper(tmp_path, log, [LAKE, disk], {**os.environ, **store.environment()})
    with serving_store(tmp_path / "store", store.port) as server:
        log.write(4_000)
        eventually(lambda: counted(store.folder / "log")[0] > 0, "files arrive")
        server.send_signal(signal.SIGSTOP)
        try:
            log.write(8_000)
            log.close()
            eventually(lambda: counted(tmp_path / "disk") == (12_000, 12_000), "the other sink has all")
            assert log.segments()
            shipper.kill()
        finally:
            server.send_signal(signal.SIGCONT)
        shipper.restart()
        eventually(lambda: not log.segments(), "all is delivered")
        shipper.finish()
    assert counted(store.folder / "log") == (12_000, 12_000)
    assert counted(tmp_path / "disk") == (12_000, 12_000)
