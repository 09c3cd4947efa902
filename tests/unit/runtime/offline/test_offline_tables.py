"""Tables that are not quite tables: nothing of them may be guessed, lost, or overwritten."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.unit.runtime.offline.offline_bundle import WORKFLOW, job, jsonl, table
from tests.unit.runtime.offline.test_offline_columns import contexts

from turnout_runtime.errors import BatchFailed, BatchInvalid, StartError
from turnout_runtime.offline.place import LocalFolder, includes
from turnout_runtime.offline.run import run
from turnout_runtime.scratch import scratch

BAD = {
    "a line too short": ("a,b\n1,2\n3\n4,5\n", "line 3: it has 1 fields, and the first line names 2 columns"),
    "only odd lines": ("a,b\n1,2\n3\n4,5,6\n", "line 3: it has 1 fields, and the first line names 2 columns"),
    "a line too long": ("a,b\n1,2\n3,4,5\n", "line 3: it has 3 fields, and the first line names 2 columns"),
    "an open quote": ('a,b\n1,"x\n4,5\n', "line 2: a quote is not closed"),
    "a remark above": ("# made today\na,b\n1,2\n", "line 2: it has 2 fields, and the first line names 1 columns"),
    "twice the same": ("a,b,A\n1,2,3\n", "the columns a, A have one name"),
    "not UTF-8": ("a,b\n1,\xe9\n", "line 2: it cannot be read: is the file UTF-8?"),
}
GOOD = {
    "one column": ("name\nAnna\nBert\n", [{"name": "Anna"}, {"name": "Bert"}]),
    "semicolons": ("a;b\n1;x,y\n", [{"a": 1, "b": "x,y"}]),
    "tabs": ("a\tb\n1\tx\n", [{"a": 1, "b": "x"}]),
    "names in quotes": ('"na,me",b\n"x\ny",2\n', [{"na,me": "x\ny", "b": 2}]),
    "Windows": ("\ufeffa,b\r\n1,2\r\n", [{"a": 1, "b": 2}]),
    "no rows": ("a,b\n", []),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD.keys())
def test_a_csv_file_that_does_not_fit_is_refused_by_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(BatchInvalid) as failure:
        contexts(tmp_path / "t.csv")
    assert str(failure.value).startswith("batch.input: t.csv")
    assert told in str(failure.value)


@pytest.mark.parametrize(("text", "rows"), GOOD.values(), ids=GOOD.keys())
def test_a_csv_file_is_what_its_first_line_says(tmp_path: Path, text: str, rows: list[Any]) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert contexts(tmp_path / "t.csv") == rows


NESTED = {
    "[1.5, 'nan'::DOUBLE, 'inf'::DOUBLE]": [1.5, None, None],
    "{'a': 'nan'::FLOAT, 'b': [1]}": {"a": None, "b": [1]},
    "NULL::STRUCT(a DOUBLE)": None,
    "[{'at': TIMESTAMPTZ '2024-01-02T03:04:05+01:00'}]": [{"at": "2024-01-02T02:04:05.000000Z"}],
    "[TIMESTAMP '2024-01-02 03:04:05', NULL]": ["2024-01-02T03:04:05.000000", None],
    "[1.25::DECIMAL(9,4)]": [1.25],
    "MAP {3: 'nan'::DOUBLE}": {"3": None},
    "NULL::MAP(INT, DOUBLE)": None,
    "['x'::BLOB]": ["eA=="],
    "[[DATE '2024-01-02'], NULL]": [["2024-01-02"], None],
    "['nan'::DOUBLE, 1.0]::DOUBLE[2]": [None, 1.0],
    "{'we \"ird''s': 0.5::DOUBLE}": {"we \"ird's": 0.5},
}


def test_what_is_inside_of_lists_structs_and_maps_is_as_it_would_be_outside(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(NESTED))
        connection.execute(f"COPY (SELECT {columns}) TO '{tmp_path}/t.parquet'")
    (context,) = contexts(tmp_path / "t.parquet")
    assert dict(zip(NESTED, context.values(), strict=True)) == NESTED


@pytest.mark.parametrize("other", ["2.5 AS a, 'y' AS b", "1 AS a", "1 AS a, 'y' AS c", "1 AS a, 'y' AS b, 0 AS c"])
def test_parquet_files_of_one_table_have_the_same_columns(tmp_path: Path, other: str) -> None:
    (tmp_path / "in").mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS a, 'x' AS b) TO '{tmp_path}/in/0.parquet'")
        connection.execute(f"COPY (SELECT 'y' AS b, 2 AS a) TO '{tmp_path}/in/1.parquet'")
        assert contexts(tmp_path / "in" / "*.parquet") == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
        connection.execute(f"COPY (SELECT {other}) TO '{tmp_path}/in/2.parquet'")
    with pytest.raises(BatchInvalid, match=r"2\.parquet has another column '[abc]' than 0\.parquet"):
        contexts(tmp_path / "in" / "*.parquet")


@pytest.mark.parametrize(
    ("uri", "folder", "name", "same"),
    [
        ("in/a.csv", "in", "a.csv", True),
        ("in/a.csv", "./in/", "a.csv", True),
        ("in/a.csv", "in", "b.csv", False),
        ("in/", "in/", "part-00000-of-00001.parquet", True),
        ("in/", "in/out", "a.csv", True),
        ("in/", "in/_out", "a.csv", False),
        ("in/*.csv", "in", "a.csv", True),
        ("in/*.csv", "in", "a.jsonl", False),
        ("in/*.csv", "in/out", "a.csv", False),
        ("link.csv", "in", "a.csv", True),
        ("s3://b/in/*.csv", "s3://b/in/", "a.csv", True),
        ("s3://b/in/*.csv", "s3://b/out/", "a.csv", False),
    ],
)
def test_whether_a_table_includes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, folder: str, name: str, same: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "link.csv").symlink_to("in/a.csv")
    assert includes(uri, folder, name) is same


def test_an_output_never_replaces_what_is_read(tmp_path: Path) -> None:
    orders = jsonl(tmp_path / "orders.jsonl", [{"amount": 1}])
    before = orders.read_bytes()
    with pytest.raises(BatchInvalid, match=r"^batch\.output: .*orders\.jsonl is part of batch\.input"):
        run(job(tmp_path, output=str(orders)))
    with pytest.raises(BatchInvalid, match=r"is part of facts\.rate\.uri"):
        run(job(tmp_path, output=str(tmp_path / "rates.jsonl")))
    with pytest.raises(BatchInvalid, match=r"is a folder: end it in /"):
        run(job(tmp_path, output=str(tmp_path / "bundle")))
    assert orders.read_bytes() == before


def test_a_name_that_says_tabs_gets_tabs(tmp_path: Path) -> None:
    run(job(tmp_path, output=str(tmp_path / "scores.tsv")))
    assert (tmp_path / "scores.tsv").read_text().startswith("row\trequest_id\tentity_id\t")
    assert [row["request_id"] for row in table(tmp_path / "scores.tsv")] == ["row-0", "row-1", "row-2", "row-3"]


def test_a_row_that_is_no_request_keeps_its_names(tmp_path: Path) -> None:
    rows = [{"amount": 1, "currency": "EUR", "at": "soon", "who": "a", "id": "o1"}]
    jsonl(tmp_path / "orders.jsonl", [*rows, {**rows[0], "at": "2024-01-02T00:00:00Z", "id": "o2"}])
    run(job(tmp_path, requestIdColumn="id"))
    first, second = table(tmp_path / "scores.jsonl")
    assert (first["request_id"], first["entity_id"], first["status"]) == ("o1", "a", "invalid")
    assert (second["request_id"], second["status"]) == ("o2", "ok")


def test_a_process_that_cannot_begin_says_why(tmp_path: Path) -> None:
    """The first process loads the bundle before; what fails only in the others must not look like a lack of memory."""
    only_here = f"import os\nassert os.getpid() == {os.getpid()}, 'not in this process'\n".encode()
    with pytest.raises(StartError, match=r"importing workflow: .*not in this process"):
        run(job(tmp_path, only_here + WORKFLOW, processes=2, rowsPerPart=1))


def test_a_full_disk_says_where_and_that_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: LocalFolder, source: Path, name: str) -> None:
        if name.startswith("part-"):
            raise OSError(28, "No space left on device", name)
        put(self, source, name)

    put = LocalFolder.put
    monkeypatch.setattr(LocalFolder, "put", full)
    with pytest.raises(BatchFailed, match=r"part-0000000\.jsonl: No space left on device; what is finished is kept"):
        run(job(tmp_path))
    monkeypatch.undo()
    assert run(job(tmp_path), resume="yes").answered == 4


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal, sys\nfrom turnout_runtime.scratch import scratch\n"
        f"with scratch(pathlib.Path({str(tmp_path)!r})) as folder:\n"
        "    (folder / 'copy').write_text('x')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    (left,) = tmp_path.iterdir()
    with scratch(tmp_path) as folder, scratch(tmp_path) as other:
        assert folder.is_dir()
        assert other.is_dir()
        assert not left.exists()
    assert list(tmp_path.iterdir()) == []


def test_features_that_are_missing_are_null_and_no_error(tmp_path: Path) -> None:
    code = WORKFLOW.replace(b"return [float(amount), ", b"return [None, ").replace(b"amount * rate", b"rate")
    run(replace(job(tmp_path, code), features=True))
    first = table(tmp_path / "scores.jsonl")[0]
    assert (first["status"], first["features.amount"], first["features.rate"]) == ("ok", None, 1.5)
