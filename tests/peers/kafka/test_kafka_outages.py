"""A broker that dies, stands still, or is away for long, while rows come."""

import asyncio
import os
import resource
import signal
from pathlib import Path

import pytest
from tests.peers.daemons import free_port
from tests.peers.kafka.broker import Broker
from tests.peers.kafka.rows import PREDICTIONS, chunks, deliver, numbers, once, predictions

from turnout_runtime.config.ship import KafkaSink
from turnout_runtime.ship.kafka.stream import KafkaStream
from turnout_runtime.ship.sink import SinkFailed

ROWS = 20_000


async def test_a_broker_killed_under_load_loses_nothing(kafka: Broker) -> None:
    topic = kafka.create("killed")
    stream = _stream(kafka, topic, timeout=3.0)

    half = asyncio.Event()

    async def load() -> None:
        for number, part in enumerate(chunks(predictions(ROWS), 250)):
            if number == ROWS // 500:
                half.set()
            await deliver(stream, part)

    loading = asyncio.create_task(load())
    await half.wait()
    kafka.kill()
    await asyncio.to_thread(kafka.start)
    await loading
    await stream.close()
    seen = kafka.read(topic)
    assert sorted(numbers(once(seen))) == list(range(ROWS))
    for partition in range(3):
        first = numbers(once(message for message in seen if message.partition == partition))
        assert first == sorted(first)


async def test_a_broker_that_stands_still_may_get_rows_twice_and_never_loses_one(kafka: Broker) -> None:
    topic, rows = kafka.create("still"), predictions(2_000)
    stream = _stream(kafka, topic, timeout=1.5)
    await deliver(stream, rows[:10])
    kafka.signal(signal.SIGSTOP)
    try:
        with pytest.raises(SinkFailed) as caught:
            await stream.send(rows, PREDICTIONS)
    finally:
        kafka.signal(signal.SIGCONT)
    assert caught.value.reason in ("timeout", "unreachable")
    await deliver(stream, rows)
    await stream.close()
    assert sorted(numbers(once(kafka.read(topic)))) == list(range(2_000))


async def test_a_long_outage_costs_no_memory() -> None:
    """That it ends by itself is for test_kafka_shipping.py to see."""
    config = KafkaSink.model_validate({"brokers": [f"127.0.0.1:{free_port()}"], "topic": "away"})
    stream, rows = KafkaStream("stream", config, timeout=1.0), predictions(5_000)
    sizes, threads = [], []
    for _ in range(4):
        with pytest.raises(SinkFailed, match="cannot reach the brokers") as caught:
            await stream.send(rows, PREDICTIONS)
        assert caught.value.reason == "unreachable"
        sizes.append(_resident())
        threads.append(len(os.listdir("/proc/self/task")))
    await stream.close()
    assert sizes[-1] - sizes[1] < 8 * 1024**2
    assert threads[-1] <= threads[0] + 4  # each producer has three


async def test_a_call_that_is_given_up_leaves_the_next_one_alone(kafka: Broker) -> None:
    topic, rows = kafka.create("given-up"), predictions(3_000)
    stream = _stream(kafka, topic, timeout=20.0)
    await deliver(stream, rows[:10])
    kafka.signal(signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.send(rows[:2_000], PREDICTIONS), 0.2)
    finally:
        kafka.signal(signal.SIGCONT)
    assert await asyncio.wait_for(stream.send(rows[2_000:], PREDICTIONS), 10) == 1_000
    await stream.close()
    assert set(range(2_000, 3_000)) <= set(numbers(kafka.read(topic)))


async def test_the_end_does_not_wait_for_a_broker_that_is_away(kafka: Broker) -> None:
    topic = kafka.create("ended")
    stream = _stream(kafka, topic, timeout=20.0)
    kafka.signal(signal.SIGSTOP)
    try:
        sending = asyncio.create_task(stream.send(predictions(10), PREDICTIONS))
        await asyncio.sleep(0.2)
        sending.cancel()
        await asyncio.wait_for(stream.close(), 5)
    finally:
        kafka.signal(signal.SIGCONT)


def _resident() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _stream(kafka: Broker, topic: str, timeout: float) -> KafkaStream:
    config = KafkaSink.model_validate({"brokers": [kafka.address()], "topic": topic})
    return KafkaStream("stream", config, timeout=timeout)
