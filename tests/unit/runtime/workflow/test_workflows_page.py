"""What docs/workflows.md shows runs, and it names all there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.runtime.predict.planes import ROUTE, serving

from turnout_operator.api.serving import Serving as SpecServing
from turnout_runtime.facts import FactRule, Found, Scope
from turnout_runtime.models.model import Loaded, Model
from turnout_runtime.predict.build import dataplane
from turnout_runtime.workflow import Context, Workflow
from turnout_runtime.workflow.entry import as_workflow
from turnout_runtime.workflow.functions import STAGES

_PAGE = (Path(__file__).parents[4] / "docs" / "workflows.md").read_text()


class Planes:
    def get(self, key: str, scope: Scope) -> Found:
        return Found({"seats": 180})


@pytest.fixture
def names() -> dict[str, Any]:
    found: dict[str, Any] = {"__name__": "workflow"}
    for block in re.findall(r"```python\n(.*?)```", _PAGE, re.S):
        exec(block, found)
    return found


@pytest.mark.parametrize(("entry", "features"), [("FlightDelay", {"hour": 17, "seats": 180}), ("flow", {"hour": 17})])
async def test_both_ways_to_write_it_answer(names: dict[str, Any], entry: str, features: dict[str, float]) -> None:
    workflow = as_workflow(names[entry])
    workflow.models = {"delay": Model("delay", None, Loaded(lambda rows: [0.5] * len(rows), len(features)))}
    one = dataplane(workflow, {"plane": FactRule(Planes(), 1.0)}, serving(), "flow-1")
    question = {"context": {"carrier": "UA", "tailnum": "N14228", "hour": 17}}
    prediction = await one.predict(ROUTE, json.dumps(question).encode())
    assert prediction.error is None
    assert prediction.decision is not None
    assert (prediction.features, prediction.decision.decision) == (features, "late")


def test_the_declarations_are_valid_and_all_names_are_there() -> None:
    (declared,) = re.findall(r"```yaml\n(.*?)```", _PAGE, re.S)
    spec = yaml.safe_load(declared)["serving"]
    SpecServing.model_validate(spec)
    assert all(f"| `{stage}(" in _PAGE for stage in STAGES)
    assert {stage for stage in STAGES if not hasattr(Workflow, stage)} == set()
    told = set(re.findall(r"`ctx\.(\w+)", _PAGE))
    public = {name for name in dir(Context) if not name.startswith("_")} - {"time_ns", "fallback_step"}
    assert public <= told
