"""The models accept and refuse what the API server does, and a rule speaks the same words in both."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from turnout_operator.api.manifest import KINDS, object_schema
from turnout_operator.api.model_deployment import MODE_RULE
from turnout_operator.api.schema import VALIDATIONS

CASES = yaml.safe_load((Path(__file__).parents[2] / "e2e" / "admission_cases.yaml").read_text())
MODELS = {kind.NAMES.kind: kind for kind in KINDS}


def heard(case: dict[str, Any]) -> set[str]:
    with pytest.raises(ValidationError) as error:
        MODELS[case["object"]["kind"]].model_validate(case["object"])
    return {entry["msg"] for entry in error.value.errors()}


@pytest.mark.parametrize("name", CASES["accepted"])
def test_accepted(name: str) -> None:
    document = CASES["accepted"][name]
    MODELS[document["kind"]].model_validate(document)


@pytest.mark.parametrize("name", CASES["refused"])
def test_refused(name: str) -> None:
    case: dict[str, Any] = CASES["refused"][name]
    messages = heard(case)
    assert any(case.get("python", case["refused"]) in message for message in messages), messages


def declared(schema: Any) -> set[str]:
    """The messages of all rules in a schema."""
    if isinstance(schema, list):
        return set().union(*map(declared, schema))
    if not isinstance(schema, dict):
        return set()
    own = {rule["message"] for rule in schema.get(VALIDATIONS, []) if "messageExpression" not in rule}
    return own.union(*map(declared, schema.values()))


def test_every_rule_has_a_case() -> None:
    refusals = set().union(*map(heard, CASES["refused"].values()))
    unseen = set().union(*(declared(object_schema(kind)) for kind in KINDS)) - refusals
    assert unseen == {MODE_RULE.message}  # of a change, which a single object does not show
