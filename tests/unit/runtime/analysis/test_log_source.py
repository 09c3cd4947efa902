"""What is read of logs in whatever shape they are."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.analysis.logs import NAME, lines, record, write_log, written

from turnout_runtime.analysis.database import MEMORY, _memory, database
from turnout_runtime.analysis.find import find
from turnout_runtime.analysis.query import Query, appearing, querying
from turnout_runtime.analysis.schema import FACT, FIELDS, STAGES, TYPES
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.record import SCHEMA_VERSION

PAGE = Path(__file__).parents[4] / "docs" / "prediction-log.md"


def rows(source: LogSource, select: str) -> list[tuple[Any, ...]]:
    with database() as connection:
        source.view(connection)
        return list(connection.execute(select).fetchall())


def ids(*places: str | Path) -> list[str]:
    return [name for (name,) in rows(LogSource(places), "SELECT prediction_id FROM predictions ORDER BY ALL")]


def test_the_schema_is_what_is_written() -> None:
    record = written()
    assert sorted(field.name for field in FIELDS) == sorted(record)
    assert max(field.since for field in FIELDS) == record["schema_version"] == SCHEMA_VERSION
    assert set(STAGES) == set(record["stages_ms"])
    assert set(re.findall(r"(\w+) (?:JSON|VARCHAR|DOUBLE)", FACT)) == set(record["facts"]["weather"])


def test_the_page_shows_the_schema() -> None:
    shown = re.findall(r"^\| `(\w+)` \| (.+?) \| (\d+) \| (.+?) \|$", PAGE.read_text(), re.M)
    expected = [(field.name, plain(field.type), str(field.since), field.meaning) for field in FIELDS]
    assert shown[: len(FIELDS)] == expected


def plain(kind: str) -> str:
    """A type as the page says it."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return "TIMESTAMPTZ"
    return kind if kind in ("MAP(VARCHAR, DOUBLE)", "MAP(VARCHAR, VARCHAR)") else kind.partition("(")[0]


def test_every_field_keeps_its_value_and_type(tmp_path: Path) -> None:
    source = LogSource([write_log(tmp_path, [written()])])
    ((time, wind, fact, x, cache, exceeded, total, seats, carrier),) = rows(
        source,
        "SELECT epoch_us(time), facts.weather.value.wind, facts.weather.age_ms, features.distance, cache.age_ms,"
        " exceeded, stages_ms.total, feature_refs.plane.seats, context->>'carrier' FROM predictions",
    )
    assert (time, wind, fact, x, cache) == (1_372_636_800_123_456, "4.5", 3500.0, 1400.0, 2000.0)
    assert (exceeded, total, seats, carrier) == (["facts"], 6.3, "100", "UA")
    (row,) = rows(source, "SELECT COLUMNS(*) IS NULL FROM predictions")
    assert [name for name, lost in zip(TYPES, row, strict=True) if lost] == ["error_type"]


def test_folders_of_pods_patterns_and_files_are_one_log(tmp_path: Path) -> None:
    for pod in ("a", "b"):
        write_log(tmp_path / "log" / pod, [record(f"{pod}1"), record(f"{pod}2")])
    (tmp_path / "log" / "notes.jsonl").write_text('{"prediction_id": "not ours"}\n')
    everything = ["a1", "a2", "b1", "b2"]
    assert ids(tmp_path / "log") == ids(f"{tmp_path}/log/*") == everything
    assert ids(tmp_path / "log" / "a") == ids(tmp_path / "log" / "a" / NAME) == ["a1", "a2"]
    assert ids(tmp_path / "log" / "b", tmp_path / "log") == everything


def test_torn_lines_and_garbage_are_left_out_and_counted(tmp_path: Path) -> None:
    whole, torn = lines([record("p1")]), lines([record("p2")])[:100]
    write_log(tmp_path, [])
    (tmp_path / NAME).write_bytes(whole + b"garbage\n" + lines([record("p3")]) + torn)
    assert ids(tmp_path) == ["p1", "p3"]
    with database() as connection:
        source = LogSource([tmp_path])
        source.view(connection)
        assert source.unreadable(connection) == 2


def test_a_value_of_another_type_costs_the_value_only(tmp_path: Path) -> None:
    odd = record("p1", propensity="a lot", features={"x": "much", "y": 2}, facts=[], stages_ms=None, newer_field=1)
    source = LogSource([write_log(tmp_path, [odd, record("p2")])])
    found = rows(source, "SELECT prediction_id, propensity FROM predictions ORDER BY 1")
    assert found == [("p1", None), ("p2", 0.9)]


def test_parquet_and_json_lines_are_one_relation(tmp_path: Path) -> None:
    lines_of = write_log(tmp_path / "lines", [record("p1"), written()])
    (tmp_path / "parquet").mkdir()
    target = tmp_path / "parquet" / "hour.parquet"
    source = LogSource([lines_of])
    with appearing(target, source) as beside, querying(source, beside) as connection:
        Query(connection, "SELECT * EXCLUDE (cache), 1 AS newer FROM predictions").parquet(beside)
    write_log(lines_of, [record("p2")])
    both = LogSource([tmp_path])
    found = rows(both, "SELECT prediction_id, features.x, cache IS NULL FROM predictions ORDER BY 1")
    assert found == [("p-1", None, True), ("p1", 1.0, True), ("p2", 1.0, True)]
    (shown,) = find(both, "prediction_id", "p-1")
    assert {**shown, "cache": written()["cache"]} == {**written(), "newer": 1}


def test_an_empty_log_has_the_view(tmp_path: Path) -> None:
    assert rows(LogSource([tmp_path]), "SELECT count(*), max(stages_ms.total) FROM predictions") == [(0, None)]


def test_places_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(LogInvalid, match="nowhere: there is no such folder: give the log's directory"):
        LogSource([tmp_path / "nowhere"])
    (tmp_path / "other.parquet").write_bytes(b"")
    with pytest.raises(LogInvalid):
        ids(tmp_path / "other.parquet")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 1; DROP VIEW predictions", "give one SELECT"),
        ("COPY predictions TO '{log}'", "give one SELECT"),
        ("WITH x AS (COPY (SELECT 1) TO '{log}' (USE_TMP_FILE false)) SELECT 1", "must be at the top level"),
        ("SELECT * FROM query('WITH x AS (COPY (SELECT 1) TO ''{log}'') SELECT 1')", "must be at the top level"),
        ("SELECT 1) ; COPY (SELECT 1) TO '{log}' ; (SELECT 1", "syntax error"),
        ("SELECT * FROM read_text('/etc/hostname')", "file system operations are disabled"),
        ("SELECT * FROM glob('/*')", "file system operations are disabled"),
        ("SELECT * FROM '/etc/hostname'", "does not exist"),
        ("SELECT * FROM read_csv('https://example.org/x.csv')", "disabled"),
        ("SELECT getenv('HOME')", "does not exist"),
        ("SET enable_external_access = true", "give one SELECT"),
        ("ATTACH 'x.db'", "give one SELECT"),
        ("SELEC 1", "syntax error"),
    ],
)
def test_sql_reads_the_log_and_nothing_else(sql: str, told: str, tmp_path: Path) -> None:
    log = write_log(tmp_path, [record("p1")])
    before = (log / NAME).read_bytes()
    with pytest.raises(LogInvalid, match=told), querying(LogSource([log])) as connection:
        list(Query(connection, sql.format(log=log / NAME)).texts())
    assert (log / NAME).read_bytes() == before
    assert [path.name for path in log.iterdir()] == [NAME]


def test_sql_with_a_comment_and_a_semicolon_at_its_end(tmp_path: Path) -> None:
    with querying(LogSource([write_log(tmp_path, [record("p1")])])) as connection:
        assert list(Query(connection, "SELECT prediction_id FROM predictions -- all;").texts()) == [[("p1",)]]
        assert list(Query(connection, "SELECT time FROM predictions;\n").json()) == [
            ['{"time":"2026-01-01T12:00:00.000000Z"}']
        ]


def test_a_file_that_cannot_be_finished_does_not_appear(tmp_path: Path) -> None:
    def write() -> None:
        with appearing(tmp_path / "x", LogSource([tmp_path])) as beside:
            beside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert list(tmp_path.iterdir()) == []


def test_the_log_itself_is_never_written_over(tmp_path: Path) -> None:
    log = write_log(tmp_path, [record("p1")])
    with pytest.raises(LogInvalid, match="is a part of the log"), appearing(log / "." / NAME, LogSource([log])):
        pass
    assert ids(log) == ["p1"]


@pytest.mark.parametrize(
    ("odd", "unreadable"),
    [
        (b"\0" * 5000 + b"\n", 1),  # what a file system may leave after a crash
        (b'{"prediction_id": "\xff"}\n', 1),
        (b"[1, 2]\n3\nnull\n", 3),
        (b"\n\n", 0),
        (b'{"prediction_id": "p3", "context": {"x": "' + b"y" * 20_000_000 + b'"}}\n', 0),
    ],
)
def test_odd_lines_cost_themselves_only(odd: bytes, unreadable: int, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(lines([record("p1")]) + odd + lines([record("p2")]))
    source = LogSource([tmp_path])
    with database() as connection:
        source.view(connection)
        assert source.unreadable(connection) == unreadable
    assert [name for name in ids(tmp_path) if name != "p3"] == ["p1", "p2"]


def test_a_file_that_was_rotated_away(tmp_path: Path) -> None:
    source = LogSource([write_log(tmp_path, [record("p1")])])
    (tmp_path / NAME).unlink()
    with pytest.raises(LogInvalid, match="if a pod has rotated it away meanwhile, try again"):
        rows(source, "SELECT * FROM predictions")
    assert find(source, "prediction_id", "p1") == []


@pytest.mark.parametrize(
    ("limit", "used", "kept"),
    [
        ("max", 10**9, MEMORY),
        (4 * 10**9, 10**9, MEMORY),
        (512 * 10**6, 212 * 10**6, 200 * 10**6),
        (10**8, 3 * 10**8, 64 * 1024**2),
        (None, 0, MEMORY),
    ],
)
def test_memory_is_half_of_what_a_container_has_left(limit: Any, used: int, kept: int, tmp_path: Path) -> None:
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {10**8}\nactive_file 7\n")
    assert _memory(tmp_path) == kept
