import io
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.log.lines import block, line

from turnout_runtime.log.segments import Segment, blocks, frame, moment, segment_of


def _rows(data: bytes, start: int = 0) -> list[bytes]:
    return [row for found in blocks(io.BytesIO(data), start) for row in found.payload.splitlines(keepends=True)]


def test_a_block_is_what_the_documentation_says() -> None:
    assert frame([b'{"a":1}\n', b'{"b":"\xc3\xa9"}\n']) == b'#2 19 78a043d6\n{"a":1}\n{"b":"\xc3\xa9"}\n'


def test_names_say_kind_time_process_and_state() -> None:
    started = moment(datetime(2026, 11, 22, 13, 5, 6, 789_012, tzinfo=UTC))
    segment = Segment(started, 17, 3, "feedback", open=True)
    assert segment.name == "feedback-20261122T130506789Z-17-3.jsonl.open"
    assert segment_of(segment.name) == segment
    assert segment_of(segment._replace(open=False).name) == segment._replace(open=False)


@pytest.mark.parametrize("name", ["notes.txt", "predictions-1-1-1.jsonl", "predictions.jsonl", "x.jsonl.open"])
def test_other_files_are_no_segments(name: str) -> None:
    assert segment_of(name) is None


def test_blocks_say_where_they_are_and_the_next_can_be_read_from_there() -> None:
    data = block(1, 2) + block(3)
    first, second = blocks(io.BytesIO(data))
    assert (first.offset, first.end, first.rows) == (0, second.offset, 2)
    assert (second.end, second.rows) == (len(data), 1)
    assert list(blocks(io.BytesIO(data), first.end)) == [second]
    assert list(blocks(io.BytesIO(data), second.end)) == []


@given(st.lists(st.integers(1, 4), max_size=5), st.data())
@settings(max_examples=50, deadline=None)
def test_wherever_it_is_torn_exactly_the_whole_blocks_are_read(sizes: list[int], data: st.DataObject) -> None:
    whole = [block(*range(size)) for size in sizes]
    content = b"".join(whole)
    cut = data.draw(st.integers(0, len(content)))
    found = list(blocks(io.BytesIO(content[:cut])))
    ends = [sum(map(len, whole[: count + 1])) for count in range(len(whole))]
    assert [each.end for each in found] == [end for end in ends if end <= cut]


def test_any_flipped_bit_costs_its_own_block_only() -> None:
    parts, chance = [block(1, 2), block(3), block(4, 5)], random.Random(5)
    content = b"".join(parts)
    for place in range(len(content)):
        rotten = bytearray(content)
        rotten[place] ^= 1 << chance.randrange(8)
        found = {row for row in _rows(bytes(rotten)) if row in content}
        hit = next(n for n in range(3) if place < sum(map(len, parts[: n + 1])))
        expected = {line(number) for n, some in enumerate(((1, 2), (3,), (4, 5))) if n != hit for number in some}
        assert found == expected == set(_rows(bytes(rotten)))


def test_a_header_that_a_caller_wrote_into_a_row_is_none() -> None:
    forged = frame([b'{"a":"\\n#1 8 00000000"}\n'])
    assert _rows(forged + block(1)) == [b'{"a":"\\n#1 8 00000000"}\n', line(1)]


def test_a_search_finds_headers_across_its_own_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for piece in (2, 3, 7):
        monkeypatch.setattr("turnout_runtime.log.segments._PIECE", piece)
        assert _rows(b"x" * 11 + b"\n" + block(1)) == [line(1)]
