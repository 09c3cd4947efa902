"""Rows as the log has them, and what a consumer makes of their messages."""

import json
from collections.abc import Iterable, Sequence
from uuid import UUID

from tests.peers.kafka.reading import Seen

from turnout_runtime.ship.kafka.stream import KafkaStream
from turnout_runtime.ship.sink import Position, SinkFailed

PREDICTIONS, FEEDBACK = Position("predictions-x", 0), Position("feedback-x", 0)


def predictions(count: int, begin: int = 0, ballast: int = 900) -> list[bytes]:
    """Records that begin as the runtime writes them."""
    return [
        _line(schema_version=3, prediction_id=str(UUID(int=number)), number=number, context={"ballast": "x" * ballast})
        for number in range(begin, begin + count)
    ]


def feedback(count: int, of: int) -> list[bytes]:
    """Rows of feedback, in turn to `of` predictions."""
    return [
        _line(schema_version=1, feedback_id=f"f-{number}", prediction_id=str(UUID(int=number % of)), number=number)
        for number in range(count)
    ]


def _line(**fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def chunks(rows: Sequence[bytes], size: int) -> Iterable[Sequence[bytes]]:
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]


async def deliver(stream: KafkaStream, rows: Sequence[bytes], position: Position = PREDICTIONS, tries: int = 60) -> int:
    """Send until it is taken, as the shipper does but without its pauses; how often that failed."""
    for failed in range(tries):
        try:
            assert await stream.send(rows, position) == len(rows)
            return failed
        except SinkFailed:
            continue
    raise AssertionError("never delivered")


def once(seen: Iterable[Seen]) -> list[Seen]:
    """What remains when each record_id counts the first time that it comes."""
    known: dict[str, Seen] = {}
    for message in seen:
        known.setdefault(message.headers["record_id"], message)
    return list(known.values())


def numbers(seen: Iterable[Seen]) -> list[int]:
    return [json.loads(message.value)["number"] for message in seen]
