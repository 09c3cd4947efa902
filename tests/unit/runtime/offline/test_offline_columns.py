"""Columns of every type as the values that JSON would have."""

from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from turnout_runtime.config import Batch
from turnout_runtime.errors import BatchInvalid, InvalidRequest
from turnout_runtime.offline.database import database
from turnout_runtime.offline.place import LocalFolder, folder_of, matching
from turnout_runtime.offline.rows import Asked, reader
from turnout_runtime.offline.tables import open_table, read

CASES = {
    "1::TINYINT": 1,
    "18446744073709551615::UBIGINT": 18446744073709551615,
    "170141183460469231731687303715884105727::HUGEINT": 1.7014118346046923e38,
    "1.5::DECIMAL(9,2)": 1.5,
    "0.1::DOUBLE": 0.1,
    "0.5::FLOAT": 0.5,
    "'NaN'::DOUBLE": None,
    "'inf'::FLOAT": None,
    "true": True,
    "'ü'": "ü",
    "NULL::INT": None,
    "DATE '2024-01-02'": "2024-01-02",
    "TIMESTAMPTZ '2024-01-02T03:04:05.678+01:00'": "2024-01-02T02:04:05.678000Z",
    "TIMESTAMP '2024-01-02 03:04:05'": "2024-01-02T03:04:05.000000",
    "'2024-01-02 03:04:05'::TIMESTAMP_NS": "2024-01-02T03:04:05.000000",
    "TIME '12:00:00'": "12:00:00",
    "'x'::BLOB": "eA==",
    "'a'::ENUM('a', 'b')": "a",
    "[1, 2]": [1, 2],
    "[0.1, NULL]": [0.1, None],
    "[[1.5]]::FLOAT[][]": [[1.5]],
    "[1, 2]::INT[2]": [1, 2],
    "{'a': 1, 'b': [{'c': 'x'}]}": {"a": 1, "b": [{"c": "x"}]},
    "[{'a': 0.1}]": [{"a": 0.1}],
    "MAP {'k': 1.5}": {"k": 1.5},
    "'{\"q\": 1}'::JSON": {"q": 1},
    "'6b1d7f6e-0000-4000-8000-000000000000'::UUID": "6b1d7f6e-0000-4000-8000-000000000000",
}


def asked(path: Path, **batch: Any) -> list[Asked | str]:
    """All rows of a table as requests, or why they are none."""
    settings = Batch.model_validate({"input": str(path), "output": "o.csv", **batch})
    table = open_table(settings.input, None, path.parent.parent / "scratch", "batch.input")
    rows = reader(settings, table.columns, ["sent"] if "sent" in str(path) else [])
    found: list[Asked | str] = []
    with database(path.parent) as connection:
        for block in read(connection, table, rows.sql, 0, table.rows):
            for number, row in enumerate(block):
                try:
                    found.append(rows.request(number, row, 7))
                except InvalidRequest as error:
                    found.append(str(error))
    return found


def contexts(path: Path, **batch: Any) -> list[Any]:
    return [row if isinstance(row, str) else row.document["context"] for row in asked(path, **batch)]


def test_types_of_parquet(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(CASES))
        connection.execute(f"COPY (SELECT {columns}) TO '{tmp_path}/t.parquet'")
    (context,) = contexts(tmp_path / "t.parquet")
    assert dict(zip(CASES, context.values(), strict=True)) == CASES
    assert orjson.loads(orjson.dumps(context)) == context


def test_types_of_csv(tmp_path: Path) -> None:
    """Numbers and booleans are found, times stay the strings that a request would have."""
    (tmp_path / "t.csv").write_text('a,b,c,d,e\n1,1.5,x,2024-01-02T03:04-05:00,true\n,,"q, ""r""",,\n')
    first = {"a": 1, "b": 1.5, "c": "x", "d": "2024-01-02T03:04-05:00", "e": True}
    assert contexts(tmp_path / "t.csv") == [first, {"a": None, "b": None, "c": 'q, "r"', "d": None, "e": None}]


def test_json_lines_stay_as_they_are(tmp_path: Path) -> None:
    lines = [
        '{"a": {"b": [1, "2024-01-01"]}, "t": "2024-01-02", "e": "me"}',
        '{"z": null}',
        "[1]",
        '{"a": ',
        "",
        '{"b": 1e400}',
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    found = asked(tmp_path / "t.jsonl", entityIdColumn="e")
    assert isinstance(found[0], Asked)
    assert found[0].document == {
        "request_id": "row-0",
        "entity_id": "me",
        "context": {"a": {"b": [1, "2024-01-01"]}, "t": "2024-01-02"},
    }
    assert found[0].time_ns == 7
    not_json = "the row is not JSON: the line "
    assert contexts(tmp_path / "t.jsonl")[1:-1] == [
        {"z": None},
        f"{not_json}is not a JSON object",
        f"{not_json}cannot be parsed",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-01-02T03:04:05Z", 1704164645),
        ("2024-01-02T03:04:05+01:00", 1704161045),
        ("2024-01-02 03:04:05", 1704164645),
        ("2024-01-02", 1704153600),
        ("1704164645", 1704164645),
        ("1704164645.5", 1704164645.5),
        ("soon", None),
        ("1969-12-31", None),
        ("", None),
    ],
)
def test_times(tmp_path: Path, text: str, seconds: float | None) -> None:
    (tmp_path / "t.csv").write_text(f"t,x\n{text},1\n")
    (tmp_path / "t.jsonl").write_text(orjson.dumps({"t": text, "x": 1}).decode() + "\n")
    for name in ("t.csv", "t.jsonl"):
        (row,) = asked(tmp_path / name, timeColumn="t")
        if seconds is None:
            assert row == "t: no time since 1970"
        else:
            assert isinstance(row, Asked)
            assert row.time_ns == seconds * 1e9
            assert row.document["context"] == {"x": 1}


def test_facts_that_callers_send(tmp_path: Path) -> None:
    (tmp_path / "sent.jsonl").write_text('{"x": 1, "sent": {"a": [1]}}\n{"x": 2}\n')
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS x, {{'a': [1]}} AS sent) TO '{tmp_path}/sent.parquet'")
        connection.execute(f"COPY (SELECT 1 AS x, '{{\"a\": [1]}}' AS sent) TO '{tmp_path}/sent.csv'")
    for name in ("sent.jsonl", "sent.parquet", "sent.csv"):
        row = asked(tmp_path / name)[0]
        assert isinstance(row, Asked)
        assert (row.document["context"], row.document["feature_refs"]) == ({"x": 1}, {"sent": {"a": [1]}})


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BatchInvalid, match=r"^batch\.entityIdColumn: no column 'who'; there are a, b: name an"):
        asked(tmp_path / "t.csv", entityIdColumn="who")


def test_many_files_are_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "_parts").mkdir(parents=True)
    (folder / "_parts" / "x.csv").write_text("a\n9\n")
    for number in range(3):
        (folder / f"f{number}.csv").write_text(f"a\n{number}\n")
    assert contexts(folder / "f*.csv") == [{"a": 0}, {"a": 1}, {"a": 2}]
    assert matching(f"{folder}/")[1] == ["f0.csv", "f1.csv", "f2.csv"]
    with duckdb.connect() as connection:
        for number in range(3):
            connection.execute(
                f"COPY (SELECT {number} * 10 + range AS a FROM range(10)) TO '{folder}/p{number}.parquet'"
            )
    table = open_table(f"{folder}/p*.parquet", None, tmp_path / "scratch", "batch.input")
    with database(tmp_path) as connection:
        found = [row[0] for block in read(connection, table, ["a"], 5, 23) for row in block]
    assert found == list(range(5, 23))


def test_places(tmp_path: Path) -> None:
    assert isinstance(folder_of(f"file://{tmp_path}"), LocalFolder)
    with pytest.raises(BatchInvalid, match="ftp: no such scheme here"):
        folder_of("ftp://x/y")
    folder = folder_of(str(tmp_path / "new"))
    (tmp_path / "source").write_text("1")
    folder.put(tmp_path / "source", "a/b.txt")
    first = folder.stamp("a/b.txt")
    (tmp_path / "source").write_text("22")
    folder.put(tmp_path / "source", "a/b.txt")
    assert folder.names() == ["a/b.txt"]
    assert None not in (first, folder.stamp("a/b.txt"))
    assert first != folder.stamp("a/b.txt")
    folder.remove("a/b.txt")
    folder.remove("a/b.txt")
    assert folder.stamp("a/b.txt") is None
    assert list((tmp_path / "new").iterdir()) == []
