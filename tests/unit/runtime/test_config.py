import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.builders import runtime_config

from turnout_runtime.config import RuntimeConfig, from_env, load
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts.connect import connect


def _load(tmp: Path, document: Any) -> RuntimeConfig:
    (tmp / "runtime.json").write_text(json.dumps(document))
    return load(tmp / "runtime.json")


def test_the_operators_document_is_understood(tmp_path: Path) -> None:
    fact = {
        "redis": {"url": "redis://r", "urlFromEnv": None, "keyPrefix": "w:"},
        "timeoutSeconds": 0.02,
        "fallback": {},
    }
    config = _load(tmp_path, runtime_config(tmp_path, facts={"weather": fact}))
    assert config.serving.max_queue_wait_seconds == 0.05
    weather = config.facts["weather"]
    assert weather.redis is not None
    assert weather.redis.key_prefix == "w:"
    assert config.facts["weather"].fallback == {}
    assert config.prediction_log.max_files == 4


SERVING = {"concurrency": 0, "maxQueueDepth": -1, "maxQueueWaitSeconds": 1, "timeoutSeconds": 1, "drainSeconds": 1}
ALL_KEPT = {**SERVING, "concurrency": 1, "maxQueueDepth": 1, "budget": {"postprocessSeconds": 1}}
SECRET = {"redis": {"url": "redis://:s3cret@r", "urlFromEnv": "X"}, "timeoutSeconds": 1}


@pytest.mark.parametrize(
    ("section", "value", "told"),
    [
        ("serving", SERVING, "serving.concurrency: .*serving.maxQueueDepth: "),
        ("serving", ALL_KEPT, "serving: budget.postprocessSeconds is kept back"),
        ("bundle", {"uri": "ftp://x", "digest": "sha256:1", "path": None}, "bundle.uri: .*bundle.digest: "),
        ("bundle", {"uri": "http://x", "digest": "sha256:" + "a" * 64, "path": "/x"}, "bundle: .*path is needed"),
        ("facts", {"w": SECRET}, "facts.w.redis: .*exactly one of url and urlFromEnv"),
        ("facts", {"w": {"redis": {}, "timeoutSeconds": 1}}, "facts.w.redis: .*exactly one"),
        ("surprise", 1, "surprise: "),
        ("revision", 5, "revision: "),
    ],
)
def test_a_wrong_field_is_named_without_its_value(tmp_path: Path, section: str, value: Any, told: str) -> None:
    with pytest.raises(ConfigInvalid, match=told) as caught:
        _load(tmp_path, runtime_config(tmp_path, **{section: value}))
    assert "s3cret" not in str(caught.value)


def test_no_file_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No such file"):
        load(tmp_path / "absent.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ConfigInvalid, match="Invalid JSON"):
        load(tmp_path / "x.json")


def test_a_secret_comes_from_the_environment() -> None:
    assert from_env("facts.weather.redis", "WEATHER_URL", {"WEATHER_URL": "redis://:p@r"}) == "redis://:p@r"
    for environment in ({}, {"WEATHER_URL": ""}):
        with pytest.raises(ConfigInvalid, match=r"facts.weather.redis: the variable WEATHER_URL is not set"):
            from_env("facts.weather.redis", "WEATHER_URL", environment)


async def test_facts_on_one_server_share_its_connections(tmp_path: Path) -> None:
    def fact(url: str) -> dict[str, Any]:
        return {"redis": {"url": url, "keyPrefix": "x"}, "timeoutSeconds": 1}

    facts = {"a": fact("redis://one"), "b": fact("redis://one"), "c": fact("redis://two")}
    stores = connect(_load(tmp_path, runtime_config(tmp_path, facts=facts)).facts)
    assert (len(stores.stores), sorted(stores.rules)) == (2, ["a", "b", "c"])
    await stores.close()
    assert connect({}).stores == ()


def test_a_url_that_is_none(tmp_path: Path) -> None:
    facts = {"w": {"redis": {"url": "http://:s3cret@r"}, "timeoutSeconds": 1}}
    with pytest.raises(ConfigInvalid, match=r"facts\.w\.redis: the URL must be") as caught:
        connect(_load(tmp_path, runtime_config(tmp_path, facts=facts)).facts)
    assert "s3cret" not in str(caught.value)
