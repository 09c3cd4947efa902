"""What docs/models.md shows is accepted by bundle, operator and runtime."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import yaml

from turnout_operator.api.model_server import ModelServer
from turnout_operator.api.serving import Batching
from turnout_runtime.bundle.manifest import ModelFile, parse
from turnout_runtime.models.model import Loaded, Model
from turnout_runtime.models.triton import ready
from turnout_runtime.workflow import Workflow

_PAGE = (Path(__file__).parents[4] / "docs" / "models.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _PAGE, re.S)


def test_the_declarations_are_valid() -> None:
    manifest, batching, server = _blocks("yaml")
    formats = set(get_args(ModelFile.model_fields["format"].annotation))
    assert {model.format for model in parse(manifest.encode()).models.values()} == formats - {"pickle"}
    assert Batching.model_validate(yaml.safe_load(batching)["serving"]["batching"]) == Batching()
    ModelServer.model_validate(yaml.safe_load(server)["modelServer"])
    assert all(f"| `{name}` |" in _PAGE for name in formats)
    assert ready.READY_SECONDS == 300


async def test_the_workflow_works() -> None:
    names: dict[str, Any] = {"Workflow": Workflow}
    exec(_blocks("python")[0], names)
    flight = object.__new__(type("Made", (names["FlightDelay"],), {"decide": None}))
    flight.models = {
        name: Model(name, None, Loaded(lambda rows, n=n: [n * sum(row) for row in rows], 3))
        for n, name in ((1.0, "delay"), (2.0, "late"))
    }
    assert await flight.predict(SimpleNamespace(remaining=lambda: 1.0), [1.0, 2.0, 3.0]) == 12.0
