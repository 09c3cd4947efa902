"""What docs/facts.md shows is accepted by the operator and runs."""

import re
from pathlib import Path
from typing import Any

import yaml

from turnout_operator.api.facts import FactSource
from turnout_runtime.facts import FactRule, Facts, Scope
from turnout_runtime.facts.plugin import PluginFacts

_PAGE = (Path(__file__).parents[4] / "docs" / "facts.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _PAGE, re.S)


def test_the_declarations_are_valid() -> None:
    declared = yaml.safe_load(_blocks("yaml")[0])["facts"]
    kinds = {next(iter(fact)) for fact in declared.values() if FactSource.model_validate(fact)}
    assert kinds == {"http", "redis", "feast", "caller"}


async def test_the_plug_in_works() -> None:
    async def tide_at(port: str, key: str, seconds: float) -> float:
        return {"Brest": 4.5}[port] if key == "noon" else 0.0

    names: dict[str, Any] = {"tide_at": tide_at}
    exec(_blocks("python")[1], names)
    source = PluginFacts(names["Tides"]({"port": "Brest"}))
    await source.connect()
    facts = Facts({"tide": FactRule(source, 1.0)}, Scope(0, lambda: 1.0))
    await facts.fetch(tide="noon")
    await source.close()
    assert facts["tide"] == {"height": 4.5}
