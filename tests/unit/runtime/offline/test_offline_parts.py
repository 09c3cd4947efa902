"""A run in parts: every row once, whatever was killed."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout_runtime.config import Batch
from turnout_runtime.errors import BatchInvalid
from turnout_runtime.offline.parts import Output, Part, Parts, output_of, parts_of

FINGERPRINT = {"input": "a", "bundle": "b"}


@given(rows=st.integers(0, 10_000), size=st.integers(1, 3_000), shards=st.integers(1, 20))
def test_the_parts_of_all_shards_cover_each_row_once(rows: int, size: int, shards: int) -> None:
    ranges = [(part.start, part.stop) for i in range(shards) for part in parts_of(rows, size, i, shards)]
    covered = [row for start, stop in ranges for row in range(start, stop)]
    assert covered == list(range(rows))
    assert all(stop - start <= size for start, stop in ranges)
    sizes = [sum(part.stop - part.start for part in parts_of(rows, size, i, shards)) for i in range(shards)]
    assert max(sizes) - min(sizes) <= 1
    assert [part.number for part in parts_of(rows, size)] == list(range(max(1, -(-rows // size))))


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(0, 60), size=st.integers(1, 9), kills=st.lists(st.integers(0, 8), max_size=6))
def test_a_run_that_is_killed_again_and_again_answers_each_row_once(rows: int, size: int, kills: list[int]) -> None:
    """Each life finishes some parts, and dies while it writes the next one."""
    answered: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        output = Output(folder, "out.jsonl", "out.jsonl.parts", "jsonl")
        for life, finished in enumerate([*kills, 100]):
            parts = Parts(output)
            assert parts.begin(FINGERPRINT, life, "yes") == 0
            todo = [part for part in parts_of(rows, size) if part.number not in parts.done()]
            for part in todo[:finished]:
                parts.put(part, b"".join(b"%d\n" % row for row in range(part.start, part.stop)))
                answered += range(part.start, part.stop)
            Path(folder, "out.jsonl.parts", f".part-{finished:07d}.jsonl.99.new").write_bytes(b"half a r")
        files = [parts.fetch(part, Path(folder)) for part in parts_of(rows, size)]
        assert b"".join(file.read_bytes() for file in files) == b"".join(b"%d\n" % row for row in range(rows))
        assert sorted(answered) == list(range(rows))
        parts.clear()
        assert list(Path(folder).iterdir()) == []


def test_another_run_is_not_taken_up(tmp_path: Path) -> None:
    output = Output(str(tmp_path), "out.csv", "out.csv.parts", "csv")
    Parts(output).begin(FINGERPRINT, 1, "no")
    Parts(output).put(Part(0, 0, 1), b"x\n")
    other = {**FINGERPRINT, "input": "c", "facts.weather": "d"}
    with pytest.raises(BatchInvalid, match=r"another facts\.weather, input: leave --resume out"):
        Parts(output).begin(other, 2, "yes")
    assert Parts(output).done() == {0}
    assert Parts(output).begin(other, 3, "if the same") == 3
    assert Parts(output).done() == set()
    assert Parts(output).begin(other, 4, "if the same") == 3
    assert Parts(output).begin(other, 5, "no") == 5


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ({"output": "a/s.parquet"}, Output("a/", "s.parquet", "s.parquet.parts", "parquet")),
        ({"output": "s.csv"}, Output(".", "s.csv", "s.csv.parts", "csv")),
        ({"output": "/s.jsonl"}, Output("/", "s.jsonl", "s.jsonl.parts", "jsonl")),
        ({"output": "s", "format": "csv"}, Output(".", "s", "s.parts", "csv")),
        (
            {"output": "s3://b/out/", "shards": 4},
            Output("s3://b/out/", "part-00001-of-00004.parquet", "_parts/00001-of-00004", "parquet"),
        ),
    ],
)
def test_where_the_output_goes(batch: dict[str, object], expected: Output) -> None:
    assert output_of(Batch.model_validate({"input": "x", **batch}), 1 if "shards" in batch else 0) == expected


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"output": "s.csv", "shards": 2}, r"batch\.output: 2 shards write a file each: end it in /"),
        (
            {"output": "scores"},
            r"batch\.output: scores does not end in \.parquet.*: say its format: parquet",
        ),
    ],
)
def test_outputs_that_cannot_be(batch: dict[str, object], message: str) -> None:
    with pytest.raises(BatchInvalid, match=message):
        output_of(Batch.model_validate({"input": "x", **batch}), 0)
