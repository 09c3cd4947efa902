"""`turnout drift` over logs, and what it says."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.unit.runtime.evaluation.evaluation_logs import log, record, weather

from turnout_runtime.cli import main
from turnout_runtime.evaluation.drift.columns import columns
from turnout_runtime.evaluation.drift.sketched import counted
from turnout_runtime.evaluation.drift.training import training
from turnout_runtime.sketches.document import document
from turnout_runtime.sketches.grid import GridSketch


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return log(tmp_path / "before", weather(3000, seed=1))


def drift(*options: Any) -> int:
    return main(["drift", *map(str, options)])


def found(capsys: pytest.CaptureFixture[str], *options: Any) -> dict[str, dict[str, Any]]:
    """Columns by name, of the first group."""
    assert drift(*options, "--json") == 0
    return {column["name"]: column for column in json.loads(capsys.readouterr().out)[0]["columns"]}


def test_what_moved_comes_first(tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = log(tmp_path / "now", weather(2000, seed=2, wind=13.0))
    assert drift("--log", now, "--reference", before) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2,000 records against 3,000"
    assert [line.split()[:2] for line in lines[2:]] == [
        ["score", "moved"],
        ["decision", "moved"],
        ["features.wind", "moved"],
        ["features.hour", "stable"],
        ["context.carrier", "stable"],
    ]  # tail names a plane: it is no category
    columns = found(capsys, "--log", now, "--reference", before)
    assert columns["features.wind"]["psi"] > 0.5
    assert columns["features.wind"]["p_value"] < 1e-9
    assert columns["features.wind"]["medians"] == pytest.approx([10, 13], abs=0.3)
    assert columns["features.hour"]["p_value"] > 0.001
    assert columns["context.carrier"]["unseen"] == 0


def test_nothing_moved_in_the_same_log(before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for column in found(capsys, "--log", before, "--reference", before).values():
        assert (column["psi"], column["ks"] or 0, column["verdict"]) == (0, 0, "stable")


def test_values_that_get_lost(tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = log(tmp_path / "now", weather(2000, seed=2, lost=0.3))
    columns = found(capsys, "--log", now, "--reference", before)
    assert columns["features.wind"]["verdict"] == "moved"
    assert columns["features.wind"]["psi"] < 0.05
    assert columns["features.wind"]["missing"] == pytest.approx([0, 0.3], abs=0.03)


def test_a_small_window_says_so(tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = log(tmp_path / "now", weather(60, seed=2))
    assert drift("--log", now, "--reference", before) == 0
    assert "too small: chance alone may reach a PSI of 0.1" in capsys.readouterr().out


def test_windows_and_groups(tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*weather(900, seed=3), *weather(900, seed=4, wind=16.0, arm="challenger", revision="orders-2")]
    now = log(tmp_path / "now", rows)
    assert drift("--log", now, "--reference", before, "--by", "arm", "--json") == 0
    groups = {group["group"]: group["columns"][0] for group in json.loads(capsys.readouterr().out)}
    assert list(groups) == ["arm challenger", "arm stable"]
    assert [group["verdict"] for group in groups.values()] == ["moved", "stable"]
    same = found(capsys, "--log", now, "--reference", now, "--where", "arm=stable", "--reference-where", "score>=0")
    assert same["features.wind"]["rows"] == [1800, 900]
    half = found(capsys, "--log", now, "--reference", now, "--since", "2023-11-14T22:20:00Z", "--until", "2100-01-01")
    assert half["score"]["rows"] == [1800, 1800 - 2 * 400]


def test_a_training_table_is_a_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"wind": row["features"]["wind"], "carrier": row["context"]["carrier"]} for row in weather(2000, seed=5)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with duckdb.connect() as connection:
        train = f"SELECT wind::FLOAT AS wind, carrier FROM read_json('{tmp_path}/train.jsonl')"
        connection.execute(f"COPY ({train}) TO '{tmp_path}/train.parquet'")
    now = log(tmp_path / "now", weather(2000, seed=6, wind=12.0))
    tables = [found(capsys, "--log", now, "--reference", tmp_path / f"train.{kind}") for kind in ("jsonl", "parquet")]
    assert tables[0].keys() == {"features.wind", "context.carrier"}
    assert tables[0]["features.wind"]["psi"] == tables[1]["features.wind"]["psi"] > 0.2
    assert drift("--log", now, "--reference", tmp_path / "train.parquet") == 0
    assert "not in the reference: context.tail, decision, features.hour, score" in capsys.readouterr().out


def test_failures_and_copies_do_not_count(tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = {"status": "timeout", "score": None, "decision": None, "features": None}
    rows = [*weather(900, seed=3), record(1, **failed), record(2, shadow=True, score=9.0)]
    columns = found(capsys, "--log", log(tmp_path / "now", rows), "--reference", before)
    assert columns["score"]["rows"] == [3000, 900]
    assert columns["features.wind"]["rows"] == [3000, 900]
    assert columns["context.carrier"]["missing"] == pytest.approx([0, 1 / 901])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reference", "nowhere"], "--reference nowhere: no such file or directory"),
        (["--log", "nowhere"], "--log nowhere: there is no such folder"),
        (["--where", "arm"], "--where 'arm': write FIELD=VALUE"),
        (["--where", "arm=none"], "--log: no records there, or none in its window"),
        (["--reference-where", "arm=none"], "--reference: no records there, or none in its window"),
        (["--reference", "odd.txt"], "odd.txt: give .parquet, .csv or .jsonl"),
        (["--reference", "odd.parquet"], "odd.parquet cannot be read"),
        (["--reference", "odd.jsonl"], "odd.jsonl has a line that is not JSON"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    tmp_path: Path,
    before: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("odd.txt", "odd.parquet", "odd.jsonl"):
        Path(name).write_text("odd\n")
    assert drift("--log", before, "--reference", before, *options) == 1
    told = capsys.readouterr().err
    assert told.startswith("turnout: ")
    assert message in told
    assert told.count("\n") == 1


def test_a_feature_that_is_gone(tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = log(tmp_path / "now", weather(900, seed=2, lost=1.0))
    assert drift("--log", now, "--reference", before) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("features.wind"))
    assert line.split()[1:6] == ["moved", "-", "<", "-", "-"]
    assert "0 % → 100 %" in line


def test_what_moved_and_gets_lost_has_moved(tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = log(tmp_path / "now", weather(2000, seed=2, wind=13.0, lost=0.1))
    assert found(capsys, "--log", now, "--reference", before)["features.wind"]["verdict"] == "moved"


def test_sketches_are_a_reference_too(tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sketches = training(str(before), ("wind", "hour"))
    (tmp_path / "reference.json").write_text(json.dumps(document(sketches)))
    now = log(tmp_path / "now", weather(2000, seed=2, wind=13.0, lost=0.1))
    exact = found(capsys, "--log", now, "--reference", before)
    told = found(capsys, "--log", now, "--reference", tmp_path / "reference.json")
    assert told.keys() == {"score", "decision", "features.wind", "features.hour"}
    for name, column in told.items():
        assert column["psi"] == exact[name]["psi"]
        assert column["missing"] == pytest.approx(exact[name]["missing"])
        assert column["verdict"] == exact[name]["verdict"]
    assert told["score"]["ks"] <= exact["score"]["ks"] <= told["score"]["ks"] + 0.021
    assert told["score"]["medians"] == pytest.approx(exact["score"]["medians"], abs=0.01)


def test_sketches_of_pods_are_compared(tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A candidate against the stable revision: each has bins of its own reference, or none."""
    places, grids = [], {"score": GridSketch(), "features.wind": GridSketch()}
    for name, seed, wind, own in (("stable", 5, 10.0, False), ("candidate", 6, 13.0, True)):
        rows = columns(weather(4000, seed=seed, wind=wind))
        like = training(str(before), ("wind", "hour")) if own else grids
        (tmp_path / name).write_text(json.dumps({**document(counted(rows, like)), "reference": None}))
        places.append(tmp_path / name)
    for one, other in (places, places[::-1]):
        (tmp_path / "other.json").write_bytes(other.read_bytes())
        assert drift("--sketches", one, "--reference", tmp_path / "other.json", "--json") == 0
        moved = {column["name"]: column for column in json.loads(capsys.readouterr().out)[0]["columns"]}
        assert moved["features.wind"]["verdict"] == "moved"
        assert moved["features.wind"]["psi"] == pytest.approx(1.0, abs=0.2)
    assert drift("--sketches", places[0]) == 1
    assert "--reference: say what to compare with" in capsys.readouterr().err
    assert drift("--sketches", *places, "--reference", places[0]) == 1
    assert "the sketches are of other kinds; give pods of one revision" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sketches", "nowhere"], "--sketches nowhere: cannot be read (No such file or directory)"),
        (["--sketches", "odd.json"], "--sketches odd.json: schema_version is None"),
        (["--sketches", "http://127.0.0.1:9/sketches?token=x"], "--sketches http://127.0.0.1:9/sketches: cannot be"),
        (["--log", "."], "--reference: say what the log is compared with"),
    ],
)
def test_sketches_that_cannot_be_read(
    tmp_path: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd.json").write_text("[]")
    assert drift(*options) == 1
    assert message in capsys.readouterr().err


def test_a_feature_that_is_true_or_false_is_a_number_wherever_it_is_read() -> None:
    rows = [{"features": {"flag": n % 4 == 0}, "context": {"flag": n % 4 == 0}} for n in range(8)]
    found = columns(rows)
    assert list(found["features.flag"].values()) == [0.0] * 6 + [1.0] * 2
    assert found["context.flag"].categories == {"true": 2, "false": 6}


def test_names_from_callers_do_not_command_a_terminal(
    tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {"context": {"\x1b[2Jcarrier": "UA", "carrier": "UA"}}
    now = log(tmp_path / "now", [{**each, **odd} for each in weather(500, seed=2)])
    assert drift("--log", now, "--reference", now) == 0
    assert drift("--log", now, "--reference", before) == 0
    told = capsys.readouterr().out
    assert "context.·[2Jcarrier" in told
    assert "\x1b" not in told
