"""A million predictions of which some were really made: their records under new ids, entities and times."""

import base64
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import orjson

from turnout_runtime.log.segments import frame

_SPACING = timedelta(milliseconds=20)
_START = datetime(2026, 11, 1, tzinfo=UTC)
_BLOCK = 1000


def multiplied(records: Sequence[bytes], count: int, entities: int) -> Iterator[bytes]:
    """`count` JSON lines: the records in turn, 20 ms apart, of so many entities at random, with a new id each."""
    rng = random.Random(11)
    for number in range(count):
        record = orjson.loads(records[number % len(records)])
        record["prediction_id"] = base64.urlsafe_b64encode(os.urandom(16)).decode()[:22]
        record["request_id"] = f"many-{number:07d}"
        record["time"] = (_START + number * _SPACING).isoformat(timespec="microseconds").replace("+00:00", "Z")
        record["entity_id"] = f"UA-{rng.randrange(entities)}"
        yield orjson.dumps(record) + b"\n"


def write_segments(directory: Path, lines: Iterable[bytes], most: int) -> None:
    """Sealed segments of at most `most` bytes, and one block more."""
    directory.mkdir(parents=True)
    source, number = iter(lines), 0
    while block := list(islice(source, _BLOCK)):
        number += 1
        with (directory / f"predictions-20261101T000000000Z-1-{number}.jsonl").open("wb") as file:
            while block:
                file.write(frame(block))
                block = list(islice(source, _BLOCK)) if file.tell() < most else []
