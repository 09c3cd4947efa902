import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.runtime.builders import BUNDLES, MANIFEST, WORKFLOW, write_bundle

from turnout_runtime.bundle.code import load_entry
from turnout_runtime.bundle.manifest import parse
from turnout_runtime.errors import WorkflowImportError
from turnout_runtime.workflow.entry import as_workflow

KINDS = "it must be a class that extends turnout_runtime.Workflow, an instance of one, or the stages() of a workflow"


@pytest.fixture(autouse=True)
def _restored_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def _load(folder: Path) -> type:
    return load_entry(folder, parse((folder / "bundle.yaml").read_bytes()))  # type: ignore[return-value]


def _refusal(folder: Path) -> str:
    with pytest.raises(WorkflowImportError) as caught:
        _load(folder)
    return str(caught.value)


def test_bundles_with_the_same_module_names_do_not_mix(tmp_path: Path) -> None:
    for name in (b"one", b"two"):
        write_bundle(
            tmp_path / name.decode(),
            workflow_py=WORKFLOW + b"    import helper\n    says = helper.SAYS\n",
            helper_py=b"SAYS = '" + name + b"'\n",
        )
    one, two, again = (_load(tmp_path / name) for name in ("one", "two", "one"))
    assert [one.says, two.says, again.says] == ["one", "two", "one"]  # type: ignore[attr-defined]
    assert [path for path in sys.path if path.startswith(str(tmp_path))] == [str(tmp_path / "one")]


def test_modules_of_the_bundle_can_be_imported_later(tmp_path: Path) -> None:
    late = b"    @staticmethod\n    def late():\n        import helper\n        return helper.SAYS\n"
    write_bundle(tmp_path, workflow_py=WORKFLOW + late, helper_py=b"SAYS = 1\n")
    assert _load(tmp_path).late() == 1  # type: ignore[attr-defined]


def test_what_was_imported_later_or_before_is_forgotten_too(tmp_path: Path) -> None:
    late = b"    @staticmethod\n    def late():\n        import helper\n        return helper.SAYS\n"
    for name in (b"one", b"two"):
        write_bundle(tmp_path / name.decode(), workflow_py=WORKFLOW + late, helper_py=b"SAYS = '" + name + b"'\n")
    assert _load(tmp_path / "one").late() == "one"  # type: ignore[attr-defined]
    assert _load(tmp_path / "two").late() == "two"  # type: ignore[attr-defined]
    sys.path.insert(0, str(write_bundle(tmp_path / "three", helper_py=b"SAYS = 3\n")))
    importlib.import_module("helper")  # as a notebook does that lies in the bundle's folder
    assert _load(tmp_path / "three").__name__ == "Made"


def test_loading_leaves_the_verified_folder_as_it_is(tmp_path: Path) -> None:
    _load(write_bundle(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.yaml", "workflow.py"]


def test_an_import_that_raises_is_told_by_its_place_in_the_bundle() -> None:
    assert _refusal(BUNDLES / "import-error") == "importing workflow: helper.py:2: KeyError: 'missing'"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (b"x = 1\nclass Made(:\n", "importing workflow: workflow.py:2: SyntaxError: invalid syntax"),
        (b"import sys\nsys.exit(3)\n", "importing workflow: workflow.py:2: SystemExit: 3"),
        (
            b"import no_such_module\n",
            "importing workflow: workflow.py:1: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (b"raise ValueError('a\\nb')\n", "importing workflow: workflow.py:1: ValueError: a b"),
        (b"assert False\n", "importing workflow: workflow.py:1: AssertionError"),
        (WORKFLOW.replace(b"Made", b"Other"), "workflow has no Made; it has Other"),
        (b"x = 1\n", "workflow has no Made; it has no workflow"),
        (b"class Made: pass\n", f"workflow:Made is no workflow: {KINDS}"),
        (b"Made = 1\n", f"workflow:Made is no workflow: {KINDS}"),
    ],
)
def test_what_cannot_be_imported_says_why(tmp_path: Path, code: bytes, told: str) -> None:
    assert _refusal(write_bundle(tmp_path, workflow_py=code)) == told


@pytest.mark.parametrize("name", ["queue", "pydantic", "statistics", "turnout_runtime"])
def test_a_module_name_of_somebody_else_is_refused(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path)
    (tmp_path / f"{name}.py").write_bytes(b"")
    assert f"module '{name}'" in _refusal(tmp_path)


def test_a_module_in_a_package(tmp_path: Path) -> None:
    write_bundle(tmp_path, bundle_yaml=MANIFEST.replace(b"workflow:Made", b"inner.flow:Made"), inner__flow_py=WORKFLOW)
    assert _load(tmp_path).__name__ == "Made"


def test_instances_and_functions_are_entries_too(tmp_path: Path) -> None:
    functions = b"""
from turnout_runtime.workflow import Decision
from turnout_runtime.workflow.functions import stages

Made = stages()

@Made.decide
def decide(ctx, score):
    return Decision("functions", score, 1.0)
"""
    for name, code in {"functions": functions, "instance": WORKFLOW + b"\nMade = Made()\n"}.items():
        entry = _load(write_bundle(tmp_path / name, workflow_py=code))
        assert as_workflow(entry).decide(None, 0.5).score == 0.5  # type: ignore[arg-type,union-attr]
