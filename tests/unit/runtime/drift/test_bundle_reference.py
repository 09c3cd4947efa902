"""The reference that travels in a bundle: how it gets there, and what a pod refuses."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from tests.unit.runtime.builders import MANIFEST, write_bundle

from turnout_runtime.bundle.archive import members, unpack
from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.cli import main

WORKFLOW = b"""
from turnout_runtime.workflow import Decision, Workflow

class Made(Workflow):
    feature_names = ("wind", "carrier")

    def decide(self, ctx, score):
        return Decision("made", score, 1.0)
"""


@pytest.fixture(autouse=True)
def _restored_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    yield
    sys.modules.pop("workflow", None)


def source(tmp_path: Path, manifest: bytes = MANIFEST, **files: bytes) -> Path:
    return write_bundle(tmp_path / "source", bundle_yaml=manifest, workflow_py=WORKFLOW, **files)


def table(path: Path) -> Path:
    rows = [{"wind": n % 7 + 0.1, "carrier": "AU"[n % 2], "late": n % 3 == 0, "other": 1} for n in range(500)]
    path.with_suffix(".jsonl").write_text("".join(json.dumps({**row, "wind": None}) + "\n" for row in rows[:3]))
    with path.with_suffix(".jsonl").open("a") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    if path.suffix != ".jsonl":
        with duckdb.connect() as connection:
            connection.execute(f"COPY (FROM read_json('{path.with_suffix('.jsonl')}')) TO '{path}'")
    return path


def build(folder: Path, out: Path, *options: Any) -> int:
    return main(["bundle", "build", str(folder), "-o", str(out), *map(str, options)])


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_the_training_table_is_sketched(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = table(tmp_path / f"training.{kind}")
    outs = [tmp_path / "one.tar.gz", tmp_path / "two.tar.gz"]
    for out in outs:
        assert build(source(tmp_path), out, "--reference", made) == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()
    contents = {path: content.read() for path, content in members(outs[0])}
    assert yaml.safe_load(contents["bundle.yaml"])["reference"] == "reference.json"
    told = json.loads(contents["reference.json"])
    assert told["rows"] == 503
    assert list(told["columns"]) == ["features.wind", "features.carrier"]
    assert told["columns"]["features.wind"]["missing"] == 3
    assert told["columns"]["features.carrier"]["counts"] == {"A": 252, "U": 251}
    digest = capsys.readouterr().out.split()[-1]
    assert main(["bundle", "verify", str(outs[0]), "--digest", digest]) == 0


def test_a_built_bundle_is_built_again_with_another_table_or_as_it_is(tmp_path: Path) -> None:
    assert build(source(tmp_path), tmp_path / "one.tar.gz", "--reference", table(tmp_path / "t.jsonl")) == 0
    unpack(tmp_path / "one.tar.gz", tmp_path / "built")
    before = digest_folder(tmp_path / "built")
    assert build(tmp_path / "built", tmp_path / "two.tar.gz") == 0
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    (tmp_path / "other.jsonl").write_text('{"wind": 5.0}\n')
    assert build(tmp_path / "built", tmp_path / "three.tar.gz", "--reference", tmp_path / "other.jsonl") == 0
    assert digest_folder(tmp_path / "built") == before
    assert (
        b'"rows":1,' in {path: content.read() for path, content in members(tmp_path / "three.tar.gz")}["reference.json"]
    )


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, ["--reference", "nowhere.csv"], "--reference nowhere.csv: no such file"),
        ({}, ["--reference", "odd.jsonl"], "--reference odd.jsonl: no column has the name of a feature: wind, carrier"),
        ({"reference_json": b"{}"}, ["--reference", "odd.jsonl"], "reference.json is another file of the bundle"),
        ({"manifest": b"reference: gone.json"}, [], "reference: no file 'gone.json' in the bundle"),
        ({"manifest": b"reference: r.json", "r_json": b"odd"}, [], "r.json: unexpected character"),
        ({"manifest": b"reference: r.json", "r_json": b"{}"}, [], "r.json: schema_version is None"),
        (
            {"manifest": b"reference: r.json", "r_json": b'{"schema_version":1,"columns":{"features.x":'
             b'{"kind":"category","fixed":true,"counts":{},"others":0,"missing":0}}}'},
            [],
            "r.json has features.x, which the workflow does not have: let `turnout bundle build --reference TABLE`",
        ),
    ],
)  # fmt: skip
def test_what_is_no_reference(
    tmp_path: Path,
    files: dict[str, bytes],
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd.jsonl").write_text('{"late": 1}\n')
    manifest = MANIFEST + files.pop("manifest", b"") + b"\n"
    assert build(source(tmp_path, manifest, **files), tmp_path / "out.tar.gz", *options) == 1
    assert message in capsys.readouterr().err
