"""A log that is shipped to a real Kafka, by a process of its own, through crashes of both."""

import os
from pathlib import Path

from tests.peers.kafka.broker import Broker
from tests.peers.kafka.rows import once
from tests.peers.shipping import Log, Shipper, eventually

BOUND = 256 * 1024**2


def test_rows_follow_the_log_and_survive_all_crashes(kafka: Broker, tmp_path: Path) -> None:
    topic, log = kafka.create("shipped"), Log(tmp_path / "log", segment_bytes=8_000_000)
    sink = {"name": "stream", "kafka": {"brokers": [kafka.address()], "topic": topic}}
    shipper = Shipper(tmp_path, log, [sink], dict(os.environ))
    log.write(10)
    eventually(lambda: len(kafka.read(topic)) == 10, "rows arrive before their segment is complete")
    kafka.kill()
    log.write(60_000)
    eventually(lambda: shipper.metric("turnout_log_pending_bytes") > 25e6, "rows wait")
    shipper.kill()
    shipper.restart()
    log.write(5_000)
    kafka.start()
    eventually(lambda: shipper.metric("turnout_log_delivered_rows_total") > 20_000, "it catches up")
    shipper.kill()
    shipper.restart()
    log.close()
    eventually(lambda: not log.segments(), "all is delivered")
    assert shipper.peak_memory() < BOUND
    shipper.finish()
    seen = kafka.read(topic)
    assert len(once(seen)) == log.rows
    assert len(seen) < 2 * log.rows
