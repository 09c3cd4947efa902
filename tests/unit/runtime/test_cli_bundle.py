"""What an author types, from the first file to the archive; each command as `turnout` runs it."""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import yaml
from tests.unit.runtime.builders import BUNDLES, MANIFEST, WORKFLOW, write_bundle

from turnout_runtime.bundle.archive import digest_archive, members
from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.cli import main
from turnout_runtime.cli.bundle.init import class_name
from turnout_runtime.cli.bundle.opened import opened
from turnout_runtime.cli.bundle.run import configuration, sample


@pytest.fixture(autouse=True)
def _restored_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    yield
    for name in set(sys.modules) - modules:
        if not name.startswith("turnout_runtime"):
            del sys.modules[name]


@pytest.fixture
def made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A fresh bundle from `init`."""
    assert main(["bundle", "init", str(tmp_path / "ticket-price")]) == 0
    capsys.readouterr()
    return tmp_path / "ticket-price"


def _failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["bundle", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.strip().splitlines()[-1]


def _contents(archive: Path) -> dict[str, bytes]:
    return {path: content.read() for path, content in members(archive)}


def test_what_init_writes_verifies_and_builds(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "verify", str(made)]) == 0
    assert capsys.readouterr() == (f"ticket-price 1 {digest_folder(made)}\n", "3 golden examples hold\n")
    before = digest_folder(made)
    assert main(["bundle", "build", str(made)]) == 0
    archive = made.parent / "ticket-price-1.tar.gz"
    captured = capsys.readouterr()
    assert captured.out == f"{digest_archive(archive)}\n"
    assert "ticket-price 1: 3 golden examples hold; wrote " in captured.err
    assert digest_folder(made) == before
    assert main(["bundle", "verify", str(archive), "--digest", captured.out.strip()]) == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [("Flight_Delay", "'Flight_Delay' is no name for a bundle"), ("a" * 64, "is no name for a bundle")],
)
def test_init_wants_a_name_that_kubernetes_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, told: str
) -> None:
    assert told in _failed(capsys, "init", str(tmp_path / name))


def test_init_never_overwrites(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is there already, and not empty" in _failed(capsys, "init", str(made))


@pytest.mark.parametrize(("name", "expected"), [("flight-delay", "FlightDelay"), ("2024-x", "Model2024X"), ("a", "A")])
def test_the_class_has_the_bundles_name(name: str, expected: str) -> None:
    assert class_name(name) == expected


def test_build_fills_in_what_files_and_code_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = MANIFEST + b"artifacts: {words: {path: words.txt}}\ncard: {owner: me, version: 1.10}\n"
    folder = write_bundle(tmp_path / "b", bundle_yaml=manifest, words_txt=b"late")
    assert main(["bundle", "build", str(folder), "-o", str(tmp_path / "out.tar.gz")]) == 0
    contents = _contents(tmp_path / "out.tar.gz")
    assert sorted(contents) == [
        "bundle.yaml",
        "schemas/decision.json",
        "schemas/request.json",
        "words.txt",
        "workflow.py",
    ]
    built = yaml.load(contents["bundle.yaml"], Loader=yaml.BaseLoader)
    assert built["artifacts"]["words"]["sha256"] == hashlib.sha256(b"late").hexdigest()
    assert built["card"]["featureSchemaHash"].startswith("sha256:")
    assert (built["card"]["version"], built["version"]) == ("1.10", "1")
    assert json.loads(contents["schemas/decision.json"])["properties"]["decision"] == {"type": "string"}
    assert "it has no golden examples" in capsys.readouterr().err


def test_build_again_gives_the_same_bytes_whatever_tools_left(made: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    assert main(["bundle", "build", str(made), "-o", str(one)]) == 0
    for junk in ("__pycache__/workflow.pyc", ".git/HEAD", ".venv/x.py", "workflow.py~", ".DS_Store"):
        (made / junk).parent.mkdir(exist_ok=True)
        (made / junk).write_text("junk")
    assert main(["bundle", "build", str(made), "-o", str(two)]) == 0
    assert one.read_bytes() == two.read_bytes()
    assert main(["bundle", "golden", str(made)]) == 0


def test_a_built_bundle_can_be_built_again(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "1.tar.gz"
    assert main(["bundle", "build", str(made), "-o", str(out)]) == 0
    for path, content in _contents(out).items():
        (tmp_path / "again" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "again" / path).write_bytes(content)
    assert main(["bundle", "build", str(tmp_path / "again"), "-o", str(tmp_path / "2.tar.gz")]) == 0
    assert digest_archive(tmp_path / "2.tar.gz") == digest_archive(out)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("late", "early", "golden.jsonl line 1: failed with WorkflowError"),
        ("0.5 else", "0.9 else", "golden.jsonl line 1: decision is 'on_time', expected 'late'"),
        ("import BaseModel", "import BaseMode", "importing workflow: workflow.py:3: ImportError"),
    ],
)
def test_build_refuses_what_a_pod_would(
    made: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    code = made / "workflow.py"
    code.write_text(code.read_text().replace(f'decision = "{old}"', f'decision = "{new}"').replace(old, new, 1))
    assert told in _failed(capsys, "build", str(made))
    assert not list(made.parent.glob("*.tar.gz"))


def test_build_says_where_it_looked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "`turnout bundle init NAME` writes a first one" in _failed(capsys, "build", str(tmp_path))


def test_golden_takes_todays_answers(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = made / "golden.jsonl"
    file.write_text(
        '{"context": {"carrier": "AA", "hour": 3, "distance": 500}}\n' + file.read_text().replace("0.578", "9")
    )
    assert "golden.jsonl line 1: request: Field required" in _failed(capsys, "golden", str(made))
    assert main(["bundle", "golden", str(made), "--update"]) == 0
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert lines[0] == {
        "request": {"context": {"carrier": "AA", "hour": 3, "distance": 500}},
        "expect": {"decision": "on_time", "score": 0.31, "confidence": 0.69},
    }
    assert lines[1]["expect"]["score"] == pytest.approx(0.578)
    assert lines[3]["expect"] == {"error": "invalid-request"}
    capsys.readouterr()
    assert main(["bundle", "golden", str(made)]) == 0
    assert capsys.readouterr().out == "4 golden examples hold\n"


def test_golden_never_expects_a_failure_of_the_workflow(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, code = made / "golden.jsonl", made / "workflow.py"
    before = file.read_bytes()
    code.write_text(code.read_text().replace("return 0.3", "return 1 / 0"))
    told = _failed(capsys, "golden", str(made), "--update")
    assert "golden.jsonl lines 1, 2: failed with workflow.py:" in told
    assert "ZeroDivisionError" in told
    assert file.read_bytes() == before


def test_golden_asks_for_the_facts_that_an_example_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch = b"    async def fetch(self, ctx):\n        await ctx.facts.fetch(w='x')\n\n    def decide"
    code, line = WORKFLOW.replace(b"    def decide", fetch), b'{"request": {"context": {}}}\n'
    folder = write_bundle(tmp_path / "b", bundle_yaml=MANIFEST + b"golden: g.jsonl\n", workflow_py=code, g_jsonl=line)
    told = _failed(capsys, "golden", str(folder), "--update")
    assert "g.jsonl line 1: the workflow fetches the fact 'w': give it in facts, or null" in told


def test_golden_keeps_lines_apart_as_json_lines_are(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """U+2028 and its like end a line for Python's text, and not for JSON Lines."""
    file = made / "golden.jsonl"
    odd = '{"request": {"request_id": "a\u2028b", "context": {"carrier": "UA", "hour": 3, "distance": 5}}}'
    file.write_text(f"\n{odd}\n\n{odd}\n", encoding="utf-8")
    assert main(["bundle", "golden", str(made), "--update"]) == 0
    assert "2 examples expect what the workflow answers now; 2 of them changed" in capsys.readouterr().out
    assert [orjson.loads(line)["request"]["request_id"] for line in file.read_bytes().splitlines()] == ["a\u2028b"] * 2


def test_build_wants_a_folder(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "does not exist" in _failed(capsys, "build", str(made.parent / "nowhere"))
    assert "is no folder" in _failed(capsys, "build", str(made), "-o", str(made.parent / "no" / "x.tar.gz"))
    assert main(["bundle", "build", str(made)]) == 0
    capsys.readouterr()
    told = _failed(capsys, "golden", str(made.parent / "ticket-price-1.tar.gz"), "--update")
    assert "is a built archive: give the folder that it was built from" in told


def test_a_bundle_on_a_triton_is_built_where_one_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = MANIFEST + b"models: {m: {format: triton, model: m}}\n"
    folder = str(write_bundle(tmp_path / "b", bundle_yaml=manifest))
    assert "give --triton HOST:PORT" in _failed(capsys, "verify", folder)
    with pytest.raises(SystemExit):
        main(["bundle", "verify", folder, "--triton", "grpc://localhost"])
    assert "'grpc://localhost' is not HOST:PORT" in capsys.readouterr().err


def test_golden_without_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(write_bundle(tmp_path / "b"))
    assert main(["bundle", "golden", folder]) == 0
    assert "name a file as golden" in capsys.readouterr().out
    assert "names no golden file" in _failed(capsys, "golden", folder, "--update")


def test_verify_asks_for_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    echo = str(BUNDLES / "echo")
    assert main(["bundle", "verify", echo, "--require", "dataset=none"]) == 0
    capsys.readouterr()
    for flags in ([], ["--files-only"]):
        told = _failed(capsys, "verify", echo, "--require", "dataset=flights", *flags)
        assert "dataset is 'none', required is 'flights'" in told


def test_verify_runs_no_code_when_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(write_bundle(tmp_path, workflow_py=b"raise SystemExit('it ran')"))
    assert main(["bundle", "verify", folder, "--files-only"]) == 0
    assert capsys.readouterr().out.startswith("made 1 sha256:")
    assert "it ran" in _failed(capsys, "verify", folder)


def _arguments(**overrides: object) -> argparse.Namespace:
    nothing = {"serving": None, "facts": None, "logs": None, "processes": None, "triton": None}
    return argparse.Namespace(**{**nothing, **overrides})


def test_run_serves_as_the_cluster_would(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with opened(made) as bundle:
        config = configuration(_arguments(), bundle)
        assert config.model_deployment == "ticket-price"
        assert config.revision == f"ticket-price-{bundle.digest[7:15]}"
        assert config.prediction_log.directory == tmp_path / "state" / "turnout" / "ticket-price"
        assert config.bundle.digest == bundle.digest
        assert orjson.loads(sample(bundle))["context"]["hour"] == 17


def test_run_samples_a_warm_up_request_or_nothing(tmp_path: Path) -> None:
    manifest = MANIFEST + b"warmup: w.jsonl\n"
    with opened(write_bundle(tmp_path / "a", bundle_yaml=manifest, w_jsonl=b'{"context": {"a": 1}}')) as bundle:
        assert sample(bundle) == '{"context":{"a":1}}'
    with opened(write_bundle(tmp_path / "b", workflow_py=WORKFLOW)) as bundle:
        assert sample(bundle) == '{"context": {}}'
