"""Revisions that the first version made: a newer operator finds them as they are and leaves their pods alone."""

import json
from pathlib import Path

import pytest
from tests.unit.plan.builders import model_deployment

from turnout_operator.plan.revision import Revision
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import config_map, manifests

MADE = json.loads((Path(__file__).parents[2] / "data" / "revisions" / "first.json").read_text())
SETTINGS = PlanSettings(runtime_image="runtime:1")


@pytest.mark.parametrize("name", MADE)
def test_the_same_spec_is_the_same_revision(name):
    made = MADE[name]
    wanted = Revision.wanted(model_deployment(**made["spec"]), SETTINGS)
    assert wanted.name == made["revision"]
    assert config_map(wanted, SETTINGS)["data"]["runtime.json"] == made["data"]["runtime.json"]


@pytest.mark.parametrize("name", MADE)
def test_a_stored_revision_keeps_its_objects_to_the_letter(name):
    made = MADE[name]
    md = model_deployment(**made["spec"])
    labels = made["manifests"][-1]["metadata"]["labels"]
    metadata = {"namespace": "ns", "name": made["revision"], "labels": labels}
    stored = Revision.stored({"metadata": metadata, "data": made["data"]})
    newer = PlanSettings(runtime_image="runtime:2")
    assert manifests(md, stored, 2, newer, recorded=True) == made["manifests"]
