from pathlib import Path

import pytest

from turnout_runtime.cli.bundle.declared import read_facts, read_serving
from turnout_runtime.cli.bundle.opened import SERVING
from turnout_runtime.errors import ConfigInvalid

FACTS = """
weather:
  http:
    url: http://weather/{key}
    headers: [{name: accept, value: application/json}]
  timeout: 20ms
  fallback: {temp: 50}
  cache: {ttl: 1m30s, staleIfError: 1.5h}
  breaker: {failures: 3, reset: 500ms}
plane: {redis: {url: redis://localhost, keyPrefix: "plane:"}, timeout: 1s}
season: {value: {summer: true}}
airport: {values: {EWR: {gates: 3}}}
"""


def _write(tmp: Path, text: str) -> Path:
    (tmp / "file.yaml").write_text(text)
    return tmp / "file.yaml"


@pytest.mark.parametrize(
    "wrap",
    [
        "{}",
        "facts:\n{}",
        "kind: ModelDeployment\nspec:\n  serving: {{}}\n  facts:\n{}",
    ],
)
def test_facts_as_a_model_deployment_declares_them(tmp_path: Path, wrap: str) -> None:
    indent = 4 if "spec" in wrap else 2 if "facts" in wrap else 0
    text = wrap.format("\n".join(" " * indent + line for line in FACTS.splitlines()))
    facts = read_facts(_write(tmp_path, text))
    weather, plane = facts["weather"], facts["plane"]
    assert weather.timeout_seconds == pytest.approx(0.02)
    assert weather.http is not None
    assert weather.http.headers == {"accept": "application/json"}
    assert weather.cache is not None
    assert (weather.cache.ttl_seconds, weather.cache.stale_if_error_seconds) == (90.0, 5400.0)
    assert weather.breaker is not None
    assert weather.breaker.reset_seconds == 0.5
    assert plane.redis is not None
    assert (plane.redis.key_prefix, plane.timeout_seconds) == ("plane:", 1.0)
    assert facts["season"].plugin is not None
    assert facts["season"].plugin.options == {"value": {"summer": True}}
    assert facts["airport"].plugin is not None
    assert facts["airport"].plugin.options == {"values": {"EWR": {"gates": 3}}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a", "must be an object, as a ModelDeployment's spec.facts is"),
        ("a: {", "is not YAML"),
        ("weather: 3", "weather: must be an object, such as value: {temp: 41}"),
        ("weather: {timeout: 20}", "weather.timeout: must be a duration such as 20ms"),
        ("weather: {timeout: 1s}", "weather: give exactly one of redis, http"),
        ("weather: {value: {}, timeut: 1s}", "weather: timeut: no such field"),
        ("weather: {value: 3}", "weather.value: a fact's value is an object, such as {temp: 41}"),
        ("weather: {values: {EWR: 3}}", "weather.values: a fact's value is an object, such as {temp: 41}"),
        ("weather: {value: {}, redis: {url: redis://h}}", "give exactly one of redis, http"),
        ("weather: {http: {url: 'http://w/'}}", "weather: http: url needs {key}"),
        ("weather: {redis: {secretRef: {name: a, key: b}}}", "weather.redis.secretRef: there are no Secrets"),
        ("weather: {http: {url: 'http://w/{key}', headers: [{name: a, secretRef: {}}]}}", "headers.0.secretRef: there"),
    ],
)
def test_facts_that_are_wrong_name_the_field(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read_facts(_write(tmp_path, text))
    assert told in str(caught.value)
    assert "file.yaml" in str(caught.value)


def test_serving_as_a_model_deployment_declares_it(tmp_path: Path) -> None:
    text = """
concurrency: 4
queue: {maxDepth: 9, maxWait: 50ms}
timeout: 250ms
budget: {facts: 20ms, inference: 40ms}
batching: {strategy: fixed, maxSize: 8, maxDelay: 3ms}
cache: {ttl: 60s, keyFields: [context.carrier], staleIfError: 1h}
idempotency: {window: 5m}
maxBodySize: 512Ki
access: Any
"""
    serving = read_serving(_write(tmp_path, text), SERVING)
    assert (serving.concurrency, serving.max_queue_depth, serving.timeout_seconds) == (4, 9, 0.25)
    assert serving.max_queue_wait_seconds == pytest.approx(0.05)
    assert serving.budget.facts_seconds == pytest.approx(0.02)
    assert (serving.batching.strategy, serving.batching.max_delay_seconds) == ("fixed", pytest.approx(0.003))
    assert serving.cache is not None
    assert (serving.cache.ttl_seconds, serving.cache.stale_if_error_seconds) == (60.0, 3600.0)
    assert serving.idempotency is not None
    assert serving.idempotency.window_seconds == 300.0
    assert serving.max_body_bytes == 512 * 1024
    assert serving.drain_seconds == SERVING.drain_seconds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("queue: 3", "queue: must be an object"),
        ("queue: {maxDepht: 3}", "file.yaml: queue.maxDepht: no such field; there are maxDepth, maxWait"),
        ("timeout: 5", "file.yaml: timeout: must be a duration such as 20ms"),
        ("access: GatewayOnly", "access: there is no gateway on this machine"),
        ("maxBodySize: much", "maxBodySize: must be a size"),
        ("timeout: 0s", "timeout: Input should be greater than 0"),
        ("budget: {facts: 3}", "budget.facts: must be a duration"),
        ("concurency: 3", "concurency: "),
    ],
)
def test_serving_that_is_wrong_names_the_field(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read_serving(_write(tmp_path, text), SERVING)
    assert told in str(caught.value)
