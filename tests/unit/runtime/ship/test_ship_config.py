"""What a shipper is told, and what it refuses."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from turnout_runtime.config.ship import ShipConfig, SinkConfig, load_ship
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.ship.home import home
from turnout_runtime.ship.objects import open_sink
from turnout_runtime.ship.targets import config_of

LAKE = {"name": "my-lake", "objectStore": {"uri": "s3://bucket/prefix"}}
CONSOLE = {"name": "console", "stdout": {}}


def test_a_whole_configuration(tmp_path: Path) -> None:
    kafka = {"brokers": ["a:9092", "[::1]:9092"], "topic": "t", "tls": {}, "sasl": {
        "mechanism": "SCRAM-SHA-512", "usernameEnv": "U", "passwordEnv": "P"}}  # fmt: skip
    sinks = [LAKE, {"name": "disk", "directory": {"path": "/data"}}, {"name": "k", "kafka": kafka}, CONSOLE]
    path = tmp_path / "ship.json"
    path.write_text(json.dumps({"directory": "/log", "pod": "p-0", "sinks": sinks, "retention": {"bytes": 10**9}}))
    config = load_ship(path)
    assert config.port == 9092
    assert config.sinks[0].environment({"TURNOUT_LOG_MY_LAKE_AWS_REGION": "x", "AWS_REGION": "y"}) == {
        "AWS_REGION": "x"
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sinks": []}, "sinks"),
        ({"sinks": [CONSOLE, CONSOLE]}, "two sinks have the same name"),
        ({"sinks": [{"name": "x"}]}, "give one of objectStore"),
        ({"sinks": [{**CONSOLE, **LAKE}]}, "give one of objectStore"),
        ({"sinks": [{"name": "X", "stdout": {}}]}, r"sinks\.0\.name"),
        ({"sinks": [{"name": "d", "directory": {"path": "/log/lake"}}]}, "inside the log's own"),
        ({"sinks": [{"name": "d", "objectStore": {"uri": "s3://key:secret@bucket"}}]}, "uri"),
        ({"retention": {"ageSeconds": 60}}, "ageSeconds"),
        ({"pod": "../x"}, "pod"),
    ],
)
def test_what_is_wrong_is_named_and_its_value_is_not_shown(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    path = tmp_path / "ship.json"
    path.write_text(json.dumps({"directory": "/log", "sinks": [CONSOLE], **change}))
    with pytest.raises(ConfigInvalid, match=told) as caught:
        load_ship(path)
    assert "secret" not in str(caught.value)


def test_an_endpoint_without_tls_can_be_forbidden() -> None:
    sink = {"uri": "s3://b", "endpoint": "http://s3:80", "allowHttp": False}
    with pytest.raises(ValidationError, match="allowHttp"):
        ShipConfig.model_validate({"directory": "/log", "sinks": [{"name": "a", "objectStore": sink}]})


def test_sinks_as_people_type_them(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["s3://b/p", "kafka://a:1,b:2/topic", "/data", "/more", "stdout:"], port=0)
    assert [sink.name for sink in config.sinks] == ["objectstore", "kafka", "directory", "directory-2", "stdout"]
    assert config.sinks[1].kafka is not None
    assert config.sinks[1].kafka.brokers == ["a:1", "b:2"]
    for target in ("ftp://x", "kafka://nobroker", str(tmp_path / "lake")):
        with pytest.raises(ConfigInvalid):
            config_of(tmp_path, [target])


def test_a_sinks_secret_may_hold_more_than_its_store_knows() -> None:
    """Another sink's variables, whose name begins alike, do not count either; nor does a bucket: the URI names it."""
    keys = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_BUCKET", "AWS_UNHEARD_OF", "endpoint", "2_AWS_REGION")
    environment = {f"TURNOUT_LOG_MY_LAKE_{key}": key for key in keys}
    sink = SinkConfig.model_validate(LAKE)
    assert sink.object_store is not None
    config = open_sink(sink.object_store, sink.environment(environment)).config
    assert config == {"endpoint": "AWS_ENDPOINT_URL", "region": "AWS_REGION", "bucket": "bucket"}


def test_one_shipper_at_a_time_and_none_without_a_log(tmp_path: Path) -> None:
    with home(tmp_path) as first:
        (first.spool / "half").write_text("made")
        with pytest.raises(ConfigInvalid, match="another shipper"), home(tmp_path):
            pass
    assert [path.name for path in (tmp_path / "ship").iterdir()] == [".lock"]
    with pytest.raises(ConfigInvalid, match="no such folder"), home(tmp_path / "nothing"):
        pass
