"""docs/bundles.md says what there is."""

import re
from pathlib import Path

import pytest

from turnout_runtime import errors
from turnout_runtime.bundle.examples import Example, Expected, parse_examples
from turnout_runtime.bundle.manifest import Manifest, parse
from turnout_runtime.cli import _parser

PAGE = (Path(__file__).parents[3] / "docs" / "bundles.md").read_text()


def _block(language: str) -> bytes:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.S)
    assert found
    return found[1].encode()


def test_the_manifest_of_the_page_has_every_field() -> None:
    assert parse(_block("yaml")).model_fields_set == set(Manifest.model_fields)
    for field in set(Manifest.model_fields) - {"apiVersion"}:
        assert f"`{field}`" in PAGE


def test_the_example_of_the_page_has_every_field() -> None:
    (example,) = parse_examples(_block("json"), "page", golden=True).values()
    assert example.model_fields_set == set(Example.model_fields)
    for field in Expected.model_fields:
        assert f"`{field}`" in PAGE


def test_every_reason_for_not_loading_is_told() -> None:
    told = set(re.findall(r"^\| `(\w+)` \| ", PAGE.partition("When a bundle is not loaded")[2], re.M))
    others = {"ConfigInvalid", "BatchInvalid", "BatchFailed", "WorkerFailed", "ModelServerNotReady"}
    assert told == {kind.__name__ for kind in errors.StartError.__subclasses__()} - others


@pytest.mark.parametrize("action", ["init", "run", "golden", "build", "verify", "digest", "pack"])
def test_every_command_is_told(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(rf"^\| `[^|]*\b{action}\b.*` \|", PAGE, re.M)
    with pytest.raises(SystemExit):
        _parser().parse_args(["bundle", action, "--help"])
    helped = capsys.readouterr().out
    for row in re.findall(rf"^\| `{action}.*", PAGE.partition("## Commands")[2], re.M):
        assert all(option in helped for option in re.findall(r"--[a-z-]+", row))
