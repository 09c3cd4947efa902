"""Whole runs in one process."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.unit.runtime.offline.offline_bundle import FALLBACK, ORDERS, TYPED, WORKFLOW, job, jsonl, table

from turnout_runtime.bundle.progress import Tell
from turnout_runtime.errors import BatchFailed, BatchInvalid
from turnout_runtime.offline import worker
from turnout_runtime.offline.processes import processors
from turnout_runtime.offline.run import run

LIVE = {"rate": {"redis": {"url": "redis://nowhere"}, "timeoutSeconds": 1}}


def written(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    """The rows as a table of the format that the name says."""
    path = jsonl(folder / "source.jsonl", rows)
    if name.endswith(".jsonl"):
        return str(path.rename(folder / name))
    with duckdb.connect() as connection:
        columns = "{amount: 'BIGINT', currency: 'VARCHAR', \"at\": 'VARCHAR', who: 'VARCHAR'}"
        connection.execute(f"COPY (FROM read_json('{path}', columns = {columns})) TO '{folder}/{name}'")
    return str(folder / name)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("in.csv", "out.parquet"),
        ("in.parquet", "out.csv"),
        ("in.jsonl", "out.csv.gz"),
        ("in.csv.gz", "out.jsonl"),
        ("in.parquet", "out.parquet"),
    ],
)
def test_every_format_in_and_out(tmp_path: Path, source: str, target: str) -> None:
    task = job(tmp_path, input=written(tmp_path, source, ORDERS), output=str(tmp_path / target), rowsPerPart=2)
    summary = run(dataclasses.replace(task, features=True))
    rows = table(tmp_path / target)
    assert [row["score"] for row in rows] == [15.0, 120.0, 7.0, None]
    assert [row["decision"] for row in rows] == ["low", "high", "low", None]
    assert [row["row"] for row in rows] == [0, 1, 2, 3]
    assert [row["entity_id"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["status"] for row in rows] == ["ok", "ok", "ok", "error"]
    assert [row["error"] for row in rows] == [None, None, None, "ValueError: no rate"]
    assert [row["features.rate"] for row in rows] == [1.5, 2.0, 1.0, None]
    assert rows[1]["explanations_ref"] == "now=2024-01-03T00:00:00Z"  # the workflow's now is the row's time
    facts = [row["facts"] if isinstance(row["facts"], dict) else json.loads(row["facts"]) for row in rows]
    assert facts[0]["rate"] == {"value": {"rate": 1.5}, "source": "live", "age_ms": 86400000.0, "reason": None}
    assert facts[3]["rate"]["reason"] == "not_found"
    assert str(rows[0]["time"]).startswith("2024-01-02")
    assert summary.outcome.statuses == {"ok": 3, "error": 1}
    assert summary.outcome.told() == "4 rows: 1 error, 3 ok (most: ValueError: no rate)"
    assert sorted(path.name for path in tmp_path.glob("out*")) == [target]


def test_a_fallback_stands_in_for_what_was_not_known(tmp_path: Path) -> None:
    run(job(tmp_path, declared=FALLBACK))
    rows = table(tmp_path / "scores.jsonl")
    assert [row["fallback"] for row in rows] == [None, None, None, "facts"]
    assert rows[3]["score"] == 6.25


def test_a_fact_without_a_past_has_its_fallback_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(job(tmp_path, declared=FALLBACK, facts={}))
    assert [row["score"] for row in table(tmp_path / "scores.jsonl")] == [12.5, 75.0, 8.75, 6.25]
    assert "every row gets this fact's fallback" in caplog.text


def test_rows_that_are_no_requests(tmp_path: Path) -> None:
    bad = [
        {"amount": 1, "currency": "EUR", "at": "soon", "who": "a"},
        ORDERS[0],
        {**ORDERS[0], "who": "x" * 300},
        {**ORDERS[0], "currency": 3},
    ]
    jsonl(tmp_path / "orders.jsonl", bad)
    run(job(tmp_path))
    rows = table(tmp_path / "scores.jsonl")
    assert [row["status"] for row in rows] == ["invalid", "ok", "invalid", "error"]
    assert rows[0]["error"] == "at: no time since 1970"
    assert rows[2]["error"] == "entity_id: must be a string of 1 to 256 characters"
    assert rows[0]["error_type"] == rows[2]["error_type"] == "invalid-request"


def test_an_answer_that_json_cannot_hold_is_an_error_of_its_row(tmp_path: Path) -> None:
    odd = b'return {"amount": float(amount), "rate": "odd" if amount == 60 else 1.0}\n\n    async def predict('
    workflow = WORKFLOW.replace(b"return [float(amount), ", b"x = [0.0, ")
    workflow = workflow.replace(b"\n\n    async def predict(", b"\n        " + odd)
    workflow = workflow.replace(b"amount, rate = features", b"amount, rate = features['amount'], 1.0")
    run(dataclasses.replace(job(tmp_path, workflow), features=True))
    rows = table(tmp_path / "scores.jsonl")
    assert [row["status"] for row in rows] == ["ok", "error", "ok", "ok"]
    assert rows[1]["error_type"] == "NotEncodable"
    assert rows[1]["error"].startswith("the answer is not JSON: could not convert string to float")


def test_a_typed_context_is_checked_row_by_row_and_its_columns_at_once(tmp_path: Path) -> None:
    jsonl(tmp_path / "orders.jsonl", [ORDERS[0], {**ORDERS[0], "amount": "many"}])
    run(job(tmp_path, TYPED))
    rows = table(tmp_path / "scores.jsonl")
    assert [row["status"] for row in rows] == ["ok", "invalid"]
    assert rows[1]["error"].startswith("context.amount: ")
    (tmp_path / "t.csv").write_text("amount,coin,at,who\n1,EUR,2024-01-02,a\n")
    with pytest.raises(BatchInvalid, match=r"^batch\.input: no column 'currency', which .* needs; there are"):
        run(job(tmp_path, TYPED, input=str(tmp_path / "t.csv")))


@pytest.mark.parametrize(("name", "text"), [("e.csv", "amount,currency,at,who\n"), ("e.jsonl", "")])
@pytest.mark.parametrize("target", ["out.csv", "out.parquet", "out.jsonl"])
def test_an_empty_input_gives_an_empty_output_with_its_columns(
    tmp_path: Path, name: str, text: str, target: str
) -> None:
    (tmp_path / name).write_text(text)
    summary = run(job(tmp_path, input=str(tmp_path / name), output=str(tmp_path / target)))
    assert summary.outcome.told() == "0 rows: none"
    if target.endswith("jsonl"):
        assert (tmp_path / target).read_text() == ""
    else:
        with duckdb.connect() as connection:
            columns = [row[0] for row in connection.execute(f"DESCRIBE FROM '{tmp_path / target}'").fetchall()]
        assert columns[:3] == ["row", "request_id", "entity_id"]


@pytest.mark.parametrize(
    ("batch", "declared", "message"),
    [
        (
            {"facts": {}},
            {},
            r"^the workflow fetches the fact 'rate', .* --facts rate=TABLE \(batch\.facts\.rate\)$",
        ),
        ({"facts": {}}, LIVE, r"^facts\.rate: a live source knows no past, and there is no fallback: add batch\.facts"),
        ({"timeColumn": "when"}, {}, r"^batch\.timeColumn: no column 'when'"),
        ({"input": "nowhere.csv"}, {}, r"^batch\.input: nowhere\.csv: there is no such file"),
        ({"output": "nowhere"}, {}, r"^batch\.output: nowhere does not end in"),
    ],
)
def test_what_cannot_be_run(tmp_path: Path, batch: Any, declared: Any, message: str) -> None:
    if batch.get("timeColumn"):
        (tmp_path / "orders.csv").write_text("amount,currency\n1,EUR\n")
        batch = {**batch, "input": str(tmp_path / "orders.csv"), "entityIdColumn": None}
    with pytest.raises(BatchInvalid, match=message):
        run(job(tmp_path, declared=declared, **batch))


def test_a_run_without_any_answer_fails_and_leaves_its_rows(tmp_path: Path) -> None:
    jsonl(tmp_path / "orders.jsonl", [ORDERS[3], ORDERS[3]])
    with pytest.raises(BatchFailed, match=r"no row was answered; 2 rows: 2 error \(most: ValueError: no rate\)"):
        run(job(tmp_path))
    assert len(table(tmp_path / "scores.jsonl")) == 2


def test_an_interrupted_run_is_finished_to_the_same_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jsonl(tmp_path / "orders.jsonl", ORDERS * 25)
    task = job(tmp_path, rowsPerPart=7)
    run(task)
    whole = (tmp_path / "scores.jsonl").read_bytes()
    answer, left = worker.Worker.answer, 0

    def until(self: worker.Worker, part: Any, tell: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        answer(self, part, tell)

    (tmp_path / "scores.jsonl").unlink()
    monkeypatch.setattr(worker.Worker, "answer", until)
    for lives in (3, 5):
        left = lives
        with pytest.raises(KeyboardInterrupt):
            run(task, resume="yes")
        assert not (tmp_path / "scores.jsonl").exists()
    monkeypatch.undo()
    told: list[int] = []

    @contextmanager
    def progress(what: str, total: int | None, unit: str) -> Iterator[Tell]:
        if what == "rows":
            assert total == 100 - 8 * 7
            yield told.append
        else:
            assert (what, total) == ("indexing rate", 3)
            yield lambda amount: None

    summary = run(task, resume="yes", progress=progress)
    assert (sum(told), summary.answered, summary.outcome.rows) == (44, 44, 100)
    assert (tmp_path / "scores.jsonl").read_bytes() == whole


def test_shards_write_a_file_each_into_one_folder(tmp_path: Path) -> None:
    jsonl(tmp_path / "orders.jsonl", ORDERS * 5)
    task = job(tmp_path, output=f"{tmp_path}/out/", shards=3, rowsPerPart=3)
    for shard in range(3):
        run(dataclasses.replace(task, shard=shard))
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"part-0000{n}-of-00003.parquet" for n in range(3)]
    rows = table(tmp_path / "out" / "*.parquet")
    assert [row["row"] for row in rows] == list(range(20))
    assert len({row["prediction_id"] for row in rows}) == 20


def test_processors_of_a_container(tmp_path: Path) -> None:
    for text, most in (("max 100000", 10_000), ("150000 100000", 2), ("50000 100000", 1), ("odd", 10_000)):
        (tmp_path / "cpu.max").write_text(text)
        assert 1 <= processors(tmp_path / "cpu.max") <= most
    assert processors(tmp_path / "nowhere") == processors(tmp_path / "cpu.max")
