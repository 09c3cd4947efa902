import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml
from flight_delay import facts, manifests
from flight_delay.bundles import Bundle
from flight_delay.quality import Quality

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.api.routing_policy import RoutingPolicy, objective_of, weights_of

DIGESTS = {"champion": "sha256:" + "a" * 64, "challenger": "sha256:" + "b" * 64}
QUALITY = Quality(10, 3, 0.7, 0.1, 0.2, 0.1)


@pytest.fixture
def objects(tmp_path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    for name in DIGESTS:
        (tmp_path / f"{name}.packed").write_bytes(name.encode())
    bundles = [Bundle(name, tmp_path / f"{name}.packed", digest, QUALITY) for name, digest in DIGESTS.items()]
    manifests.write(
        bundles, tmp_path / "out", manifests.Images("registry.example/redis:1", "registry.example/python:1")
    )
    texts = (path.read_text() for path in sorted((tmp_path / "out").glob("*.yaml")))
    found = [manifest for text in texts for manifest in yaml.safe_load_all(text)]
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in found}


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """The plane registry as its pod starts it; its URL."""
    command = [sys.executable, str(folder / "plane_registry.py"), str(folder / "planes.json"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().split()[-1]}"
        finally:
            process.terminate()


def fetched(url: str) -> tuple[int, Any]:
    try:
        with urlopen(url, timeout=10) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        with error:
            return error.code, None


def test_all_of_it_lives_in_one_namespace(objects: dict[tuple[str, str], dict[str, Any]]) -> None:
    del objects["Namespace", "flights"]
    assert {manifest["metadata"]["namespace"] for manifest in objects.values()} == {"flights"}


@pytest.mark.parametrize(("model", "bundle"), [("flight-delay", "champion"), ("flight-delay-challenger", "challenger")])
def test_a_deployment_names_its_bundle_and_digest(
    objects: dict[tuple[str, str], dict[str, Any]], model: str, bundle: str
) -> None:
    spec = ModelDeployment.model_validate(objects["ModelDeployment", model]).spec
    assert spec.bundle.digest == DIGESTS[bundle]
    config_map = spec.bundle.uri.removeprefix("configmap://")
    assert base64.b64decode(objects["ConfigMap", config_map]["binaryData"]["bundle.tar.gz"]) == bundle.encode()


def test_the_policy_gives_the_challenger_a_tenth(objects: dict[tuple[str, str], dict[str, Any]]) -> None:
    policy = RoutingPolicy.model_validate(objects["RoutingPolicy", "flight-delay"])
    assert weights_of(policy.spec) == {"main": 9000, "challenger": 1000}
    assert objective_of(policy) == "flight-delay"


@pytest.mark.parametrize(
    ("name", "image"), [("redis", "registry.example/redis:1"), ("plane-registry", "registry.example/python:1")]
)
def test_the_images_are_those_given(objects: dict[tuple[str, str], dict[str, Any]], name: str, image: str) -> None:
    containers = objects["Deployment", name]["spec"]["template"]["spec"]["containers"]
    assert [container["image"] for container in containers] == [image]


def test_the_registry_answers_what_training_read(
    objects: dict[tuple[str, str], dict[str, Any]], tmp_path: Path
) -> None:
    data = objects["ConfigMap", "plane-registry"]["data"]
    assert json.loads(data["planes.json"]) == facts.tables()["plane"]
    for name, text in data.items():
        (tmp_path / name).write_text(text)
    with registry(tmp_path) as url:
        for path, status in (("/planes/N14228", 200), ("/planes/N0", 404), ("/", 200), ("/planes/", 404)):
            assert fetched(url + path)[0] == status
        assert fetched(f"{url}/planes/N14228")[1] == facts.tables()["plane"]["N14228"]


def test_the_weather_fallback_is_the_mean_hour_of_the_training_months() -> None:
    hours = [hour for key, hour in facts.tables()["weather"].items() if key.split(":")[1] < "2013-07-01T04Z"]
    for name, value in manifests.fact_fallbacks()["weather"].items():
        seen = [min(hour[name], 80.0) if name == "wind_speed" else hour[name] for hour in hours if name in hour]
        assert value == pytest.approx(sum(seen) / len(seen), abs=0.06)


def test_a_bundle_too_large_for_a_config_map_is_refused() -> None:
    with pytest.raises(ValueError, match="pvc://"):
        manifests.bundle_config_map("big", bytes(manifests.CONFIG_MAP_LIMIT + 1))


def test_a_placeholder_without_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        manifests.render({"REDIS_IMAGE": "redis"})


def test_facts_are_written_in_the_redis_protocol() -> None:
    sent = b"".join(facts.redis_commands({"EWR:1": {"temp": 2}}))
    assert sent == b'*3\r\n$3\r\nSET\r\n$13\r\nweather:EWR:1\r\n$10\r\n{"temp":2}\r\n'


def test_lengths_in_the_redis_protocol_count_bytes() -> None:
    assert facts.command("é") == b"*1\r\n$2\r\n\xc3\xa9\r\n"
