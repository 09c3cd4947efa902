"""What the operator writes, the runtime reads: its own parser is the judge."""

import json

import pytest
from tests.unit.plan.builders import DIGEST, batch_deployment, model_deployment

from turnout_operator.plan.revision import Revision
from turnout_operator.plan.runtime_config import runtime_config
from turnout_operator.plan.settings import PlanSettings
from turnout_runtime import config as runtime

SETTINGS = PlanSettings(runtime_image="runtime:1")


def rendered(md):
    return runtime_config(Revision.wanted(md, SETTINGS), 5.0)


def read(md) -> runtime.RuntimeConfig:
    return runtime.RuntimeConfig.model_validate_json(json.dumps(rendered(md)))


def test_what_is_not_asked_for_is_left_out():
    plain = rendered(model_deployment())
    assert plain.keys() == {
        "namespace", "modelDeployment", "revision", "bundle", "serving", "facts", "predictionLog"
    }  # fmt: skip
    assert plain["serving"].keys() == {
        "concurrency", "maxQueueDepth", "maxQueueWaitSeconds", "timeoutSeconds", "drainSeconds"
    }  # fmt: skip


def test_defaults_of_both_sides_are_the_same():
    """What is left out must mean what the reference says."""
    md = model_deployment(serving={"batching": {}, "cache": {"ttl": "1s", "keyFields": ["a"]}})
    serving, plain = read(md).serving, read(model_deployment()).serving
    assert serving.batching == plain.batching == runtime.Batching()
    assert serving.cache == runtime.AnswerCache(ttlSeconds=1, keyFields=["a"])
    spec = model_deployment().spec
    assert plain.max_body_bytes == spec.serving.max_body_size.bytes
    assert plain.processes == spec.serving.processes
    assert plain.access == spec.serving.access.lower()
    facts = {"a": {"http": {"url": "http://a/{key}"}, "breaker": {}, "cache": {"ttl": "1s"}}}
    fact = read(model_deployment(facts=facts)).facts["a"]
    assert fact.breaker == runtime.Breaker()
    assert fact.cache == runtime.FactCache(ttlSeconds=1)
    assert fact.http == runtime.HttpLocation(url="http://a/{key}")
    batch = read(batch_deployment()).batch
    assert batch == runtime.Batch(
        input="/var/run/turnout/claims/data/in.parquet", output="/var/run/turnout/claims/data/out/"
    )


SERVING = {
    "timeout": "100ms",
    "budget": {"facts": "25ms", "inference": "40ms", "postprocess": "10ms"},
    "batching": {"strategy": "fixed", "maxSize": 32, "maxDelay": "3ms"},
    "cache": {"ttl": "60s", "keyFields": ["context.carrier"], "maxEntries": 5, "staleIfError": "5m"},
    "idempotency": {"window": "10s", "maxEntries": 7},
    "maxBodySize": "4Mi",
    "processes": 2,
    "access": "GatewayOnly",
}


def test_every_setting_of_serving_arrives_in_seconds_and_bytes():
    serving = read(model_deployment(serving=SERVING)).serving
    assert serving.budget == runtime.Budget(factsSeconds=0.025, inferenceSeconds=0.04, postprocessSeconds=0.01)
    assert serving.batching == runtime.Batching(strategy="fixed", maxSize=32, maxDelaySeconds=0.003)
    assert serving.cache == runtime.AnswerCache(
        ttlSeconds=60, keyFields=["context.carrier"], maxEntries=5, staleIfErrorSeconds=300
    )
    assert serving.idempotency == runtime.Idempotency(windowSeconds=10, maxEntries=7)
    assert (serving.max_body_bytes, serving.processes, serving.access) == (4 * 1024**2, 2, "gateway")
    assert str(serving.gateway_ca) == "/var/run/turnout/gateway/ca.crt"


FACTS = {
    "weather": {
        "http": {
            "url": "http://weather/{key}",
            "headers": [
                {"name": "x-team", "value": "delays"},
                {"name": "authorization", "secretRef": {"name": "w", "key": "token"}},
            ],
            "maxConnections": 8,
        },
        "timeout": "15ms",
        "fallback": {"wind": 3.5},
        "cache": {"ttl": "30s", "staleIfError": "10m", "maxEntries": 100},
        "breaker": {"failures": 3, "reset": "2s"},
        "timestampField": "observed",
    },
    "vector": {"redis": {"secretRef": {"name": "r", "key": "url"}, "encoding": "float32"}},
    "store": {"feast": {"config": "project: p", "features": ["plane:age"], "joinKey": "tailnum"}},
    "vault": {"feast": {"secretRef": {"name": "f", "key": "s"}, "features": ["plane:age"], "joinKey": "tailnum"}},
    "history": {"caller": {}},
    "renamed": {"caller": {"field": "past"}},
    "more": {"plugin": {"name": "mine", "options": {"any": [1, None]}}},
}


def test_every_kind_of_fact_arrives_and_secrets_are_names_of_variables():
    facts = read(model_deployment(facts=FACTS)).facts
    weather = facts["weather"]
    assert weather.http == runtime.HttpLocation(
        url="http://weather/{key}",
        headers={"x-team": "delays"},
        headersFromEnv={"authorization": "TURNOUT_HEADER_WEATHER_1"},
        maxConnections=8,
    )
    assert (weather.timeout_seconds, weather.fallback, weather.timestamp_field) == (0.015, {"wind": 3.5}, "observed")
    assert weather.cache == runtime.FactCache(ttlSeconds=30, staleIfErrorSeconds=600, maxEntries=100)
    assert weather.breaker == runtime.Breaker(failures=3, resetSeconds=2)
    assert facts["vector"].redis == runtime.RedisLocation(urlFromEnv="TURNOUT_FACT_VECTOR_URL", encoding="float32")
    assert facts["store"].feast.config == "project: p"
    assert facts["vault"].feast.config_from_env == "TURNOUT_FEAST_VAULT"
    assert (facts["history"].caller.field, facts["renamed"].caller.field) == (None, "past")
    assert facts["more"].plugin == runtime.PluginLocation(name="mine", options={"any": [1, None]})


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("configmap://b/x.tar.gz", "/var/run/turnout/source/x.tar.gz"),
        ("pvc://claim/models/7", "/var/run/turnout/source/models/7"),
        ("image://registry.example/team/b:7", "/var/run/turnout/source"),
        ("https://host/b.tar.gz", None),
        ("s3://models/7/", None),
        ("gs://models/7.tar.gz", None),
        ("az://models/7.tar.gz", None),
        ("oci://registry.example/team/b:7", None),
    ],
)
def test_a_bundle_is_a_mounted_path_or_a_url(uri, path):
    bundle = read(model_deployment(bundle={"uri": uri, "digest": DIGEST})).bundle
    assert (bundle.uri, bundle.path and str(bundle.path)) == (uri, path)


def test_the_card_and_the_model_server_arrive():
    server = {"triton": {"image": "triton:1", "sharedMemory": True}}
    read_back = read(model_deployment(requires={"card": {"dataset": "a"}}, modelServer=server))
    assert read_back.requires.card == {"dataset": "a"}
    assert read_back.model_server.triton == runtime.TritonServer(url="127.0.0.1:8001", sharedMemory=True)


def test_a_batch_arrives():
    batch = read(
        batch_deployment(
            input="s3://flights/*.parquet",
            output="pvc://scores/2013/",
            format="parquet",
            columns={"time": "scheduled", "entityId": "tailnum", "requestId": "id"},
            facts={"weather": {"uri": "pvc://data/w.csv", "keyColumn": "o", "timeColumn": "h", "maxAge": "3h"}},
            shards=12,
            processes=2,
            rowsPerPart=5000,
        )
    ).batch
    assert batch == runtime.Batch(
        input="s3://flights/*.parquet",
        output="/var/run/turnout/claims/scores/2013/",
        format="parquet",
        timeColumn="scheduled",
        entityIdColumn="tailnum",
        requestIdColumn="id",
        facts={
            "weather": runtime.SnapshotLocation(
                uri="/var/run/turnout/claims/data/w.csv", keyColumn="o", timeColumn="h", maxAgeSeconds=10800
            )
        },
        shards=12,
        processes=2,
        rowsPerPart=5000,
    )
