import pytest

from turnout_runtime.config import FactConfig
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts import Facts
from turnout_runtime.facts.connect import connect
from turnout_runtime.facts.source import Scope


def _config(**options: object) -> dict[str, FactConfig]:
    document = {"plugin": {"name": "constant", "options": options}, "timeoutSeconds": 1}
    return {"weather": FactConfig.model_validate(document)}


async def test_a_constant_is_a_fact_like_any_other() -> None:
    stores = connect(_config(value={"temp": 41}))
    facts = Facts(stores.rules, Scope(0, lambda: 1.0))
    await facts.fetch(weather="EWR")
    assert facts["weather"] == {"temp": 41}
    assert facts.settled["weather"].source == "live"
    facts["weather"]["temp"] = 0  # what a workflow does to its copy is its own business
    again = Facts(stores.rules, Scope(0, lambda: 1.0))
    await again.fetch(weather="JFK")
    assert again["weather"] == {"temp": 41}


async def test_constants_by_key() -> None:
    stores = connect(_config(values={"EWR": {"temp": 41}}))
    facts = Facts(stores.rules, Scope(0, lambda: 1.0))
    await facts.fetch(weather="JFK")
    assert (facts["weather"], facts.settled["weather"].reason) == (None, "not_found")


@pytest.mark.parametrize("options", [{}, {"value": 3}, {"values": {"a": 3}}, {"value": {}, "values": {}}, {"x": {}}])
def test_options_that_mean_nothing(options: dict[str, object]) -> None:
    with pytest.raises(ConfigInvalid, match="constant cannot be made with these options"):
        connect(_config(**options))
