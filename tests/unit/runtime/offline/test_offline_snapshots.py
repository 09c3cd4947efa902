"""What a fact was at a row's time: never a value from the future, always the newest that is admissible."""

import json
import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout_runtime.config import SnapshotLocation
from turnout_runtime.errors import BatchInvalid
from turnout_runtime.facts import NoSuchKey, Scope
from turnout_runtime.offline.index import Entry, Index, write_index
from turnout_runtime.offline.snapshots import SnapshotSource, build

KEYS = st.sampled_from(["", "a", "aa", "b", "EWR:1", "ü", "\U0001f600", "\uffff"])
TIMES = st.integers(0, 12)
ROWS = st.lists(st.tuples(KEYS, TIMES), max_size=40)
SECOND = 1_000_000_000


def scope(time_ns: int) -> Scope:
    return Scope(time_ns=time_ns, remaining=lambda: 1.0)


def source(folder: Path, table: Path, **location: object) -> SnapshotSource:
    return SnapshotSource(build("weather", SnapshotLocation.model_validate({"uri": str(table), **location}), folder))


@given(rows=ROWS, key=KEYS, time=st.integers(-1, 13))
def test_the_index_finds_the_newest_row_that_is_not_later(rows: list[tuple[str, int]], key: str, time: int) -> None:
    numbered = [(k.encode(), t, n) for n, (k, t) in enumerate(rows)]
    with tempfile.TemporaryDirectory() as folder:
        count = write_index(Path(folder), (Entry(k, t, b"%d" % n) for k, t, n in sorted(numbered)))
        found = Index(Path(folder)).find(key, time)
    admissible = [(t, n) for k, t, n in numbered if k == key.encode() and t <= time]
    assert count == len(rows)
    assert found == ((max(admissible)[0], b"%d" % max(admissible)[1]) if admissible else None)


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(st.tuples(KEYS, TIMES), max_size=40, unique=True), wishes=ROWS, age=st.none() | st.integers(0, 6))
def test_a_snapshot_answers_as_an_asof_join_does(
    rows: list[tuple[str, int]], wishes: list[tuple[str, int]], age: int | None
) -> None:
    with tempfile.TemporaryDirectory() as name, duckdb.connect() as connection:
        folder = Path(name)
        connection.execute("CREATE TABLE facts (key VARCHAR, time TIMESTAMP, n INT)")
        connection.execute("CREATE TABLE wishes (key VARCHAR, time TIMESTAMP, i INT)")
        for number, (key, time) in enumerate(rows):
            connection.execute("INSERT INTO facts VALUES (?, make_timestamp(?), ?)", [key, time * 1_000_000, number])
        for number, (key, time) in enumerate(wishes):
            connection.execute("INSERT INTO wishes VALUES (?, make_timestamp(?), ?)", [key, time * 1_000_000, number])
        connection.execute(f"COPY facts TO '{folder}/facts.parquet'")
        join = "wishes w ASOF LEFT JOIN facts f ON w.key = f.key AND w.time >= f.time"
        joined = connection.execute(f"SELECT n, epoch(f.time) FROM {join} ORDER BY i").fetchall()
        snapshot = source(folder / "index", folder / "facts.parquet", maxAgeSeconds=age)
        for (key, time), (number, seen) in zip(wishes, joined, strict=True):
            if number is None or (age is not None and time - seen > age):
                with pytest.raises(NoSuchKey):
                    snapshot.get(key, scope(time * SECOND))
            else:
                found = snapshot.get(key, scope(time * SECOND))
                assert found.as_of_ns is not None
                assert found.as_of_ns <= time * SECOND
                assert (found.value, found.as_of_ns) == ({"n": number}, int(seen) * SECOND)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.csv", "key,time,temp\nEWR,2013-07-01T05:00-04:00,39.02\nEWR,1372672800,41\nJFK,2013-07-01T09:00:00Z,\n"),
        (
            "f.jsonl",
            '{"key":"EWR","time":"2013-07-01T05:00-04:00","temp":39.02}\n'
            '{"key":"EWR","time":1372672800,"temp":41}\n{"key":"JFK","time":"2013-07-01T09:00:00Z","temp":null}\n',
        ),
    ],
)
def test_text_tables(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    snapshot = source(tmp_path / "index", tmp_path / name)
    nine = 1372669200 * SECOND  # 2013-07-01T09:00Z
    assert snapshot.get("EWR", scope(nine)).value == {"temp": 39.02}
    assert snapshot.get("EWR", scope(nine + 3600 * SECOND)).value == {"temp": 41}
    assert snapshot.get("JFK", scope(nine)).value == {"temp": None}
    with pytest.raises(NoSuchKey):
        snapshot.get("EWR", scope(nine - 1))


def test_the_last_of_rows_with_one_time_counts_and_each_request_gets_a_value_of_its_own(tmp_path: Path) -> None:
    lines = [{"key": "k", "time": 1, "n": n, "deep": {"x": [1]}} for n in range(50)]
    (tmp_path / "f.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    snapshot = source(tmp_path / "index", tmp_path / "f.jsonl")
    first = snapshot.get("k", scope(SECOND)).value
    first["deep"]["x"].append(2)
    assert snapshot.get("k", scope(SECOND)).value == {"n": 49, "deep": {"x": [1]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("station,time,t\nEWR,1,2\n", "facts.weather.keyColumn: no column 'key'; there are station, time, t: name the"),
        ("key,hour,t\nEWR,1,2\n", "facts.weather.timeColumn: no column 'time'"),
        ("key,time,t\nEWR,soon,2\n", "facts.weather: row 1 has no readable time"),
        ("key,time,t\nEWR,1,2\n,1,2\n", "facts.weather: row 2 has no key"),
    ],
)
def test_errors_name_the_field_and_the_remedy(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(BatchInvalid, match="^" + message.replace(".", r"\.")):
        source(tmp_path / "index", tmp_path / "f.csv")


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BatchInvalid, match=r"^facts\.weather\.uri: .*f\.parquet: there is no such file"):
        source(tmp_path / "index", tmp_path / "f.parquet")
    (tmp_path / "f.parquet").write_text("no parquet")
    with pytest.raises(BatchInvalid, match=r"^facts\.weather\.uri: .*f\.parquet"):
        source(tmp_path / "index", tmp_path / "f.parquet")


def test_other_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("station,hour,t\nEWR,1,2\n")
    snapshot = source(tmp_path / "index", tmp_path / "f.csv", keyColumn="station", timeColumn="hour")
    assert snapshot.get("EWR", scope(SECOND)).value == {"t": 2}
