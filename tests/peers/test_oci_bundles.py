"""Bundles as artifacts in a real OCI registry."""

import base64
import hashlib
import json
import logging
import os
from pathlib import Path

import pytest
from tests.integration.runtime.process import config_for, running
from tests.peers.daemons import Wire, free_port
from tests.peers.fetching import (
    BIG,
    ECHO,
    ECHO_DIGEST,
    big_bundle,
    check_whole,
    kill_while_fetching,
    packed,
    refusal,
)
from tests.peers.oci_registry import PASSWORD, USER, OciRegistry
from tests.unit.runtime.builders import DIGEST, write_bundle

from turnout_runtime.bundle.tree import digest_folder

FILES = sorted(path for path in ECHO.iterdir() if path.is_file())
VARIABLES = (".dockerconfigjson", "DOCKER_AUTH_CONFIG", "DOCKER_CONFIG", "OCI_USERNAME", "OCI_PASSWORD")


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials but those of the test."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def _docker_config(host: str, password: str = PASSWORD) -> str:
    return json.dumps({"auths": {host: {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()}}})


def test_an_archive_and_titled_files_are_the_same_bundle(oci: OciRegistry, tmp_path: Path) -> None:
    check_whole(oci.push("models/echo:1", packed(tmp_path)), ECHO_DIGEST, tmp_path / "archive")
    check_whole(oci.push("models/echo:files", *FILES), ECHO_DIGEST, tmp_path / "files")


def test_by_digest_and_without_a_tag(oci: OciRegistry, tmp_path: Path) -> None:
    import oras.provider

    uri = oci.push("models/echo:latest", packed(tmp_path))
    client = oras.provider.Registry(oci.host, insecure=True)
    accepted = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    answer = client.do_request(f"http://{oci.host}/v2/models/echo/manifests/latest", headers=accepted)
    check_whole(uri.removesuffix(":latest"), ECHO_DIGEST, tmp_path / "latest")
    digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    check_whole(f"{uri.removesuffix(':latest')}@{digest}", ECHO_DIGEST, tmp_path / "digest")


@pytest.mark.parametrize("name", ["models/echo:absent", "no/such:1", f"models/echo@{DIGEST}"])
def test_what_is_not_there(oci: OciRegistry, tmp_path: Path, name: str) -> None:
    said = refusal(f"oci://{oci.host}/{name}", ECHO_DIGEST, tmp_path / "cache")
    assert said.startswith("BundleNotFound")
    assert "the server answered 404" in said


@pytest.mark.parametrize(
    "uri", ["oci://", "oci://host", "oci://host/Upper", "oci://u:p@host/a:1", "oci://host/a@sha1:1"]
)
def test_what_is_no_reference(tmp_path: Path, uri: str) -> None:
    assert "an OCI artifact is oci://REGISTRY/NAME:TAG" in refusal(uri, DIGEST, tmp_path / "cache")


def test_another_bundle_than_asked_for(oci: OciRegistry, tmp_path: Path) -> None:
    uri = oci.push("models/other:1", packed(tmp_path, write_bundle(tmp_path / "other")))
    assert refusal(uri, ECHO_DIGEST, tmp_path / "cache").startswith("DigestMismatch")


def test_a_registry_that_is_not_there(tmp_path: Path) -> None:
    said = refusal(f"oci://127.0.0.1:{free_port()}/models/echo:1", DIGEST, tmp_path / "cache")
    assert "cannot connect" in said


@pytest.mark.parametrize("form", ["docker config in a variable", "docker config in a folder", "user and password"])
@pytest.mark.parametrize("kind", ["locked_oci", "token_oci"])
def test_credentials_open_the_door(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, form: str
) -> None:
    registry: OciRegistry = request.getfixturevalue(kind)
    uri = _pushed(request, registry, kind, tmp_path)
    if form == "docker config in a variable":
        monkeypatch.setenv(".dockerconfigjson", _docker_config(registry.host))
    elif form == "docker config in a folder":
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        (tmp_path / "config.json").write_text(_docker_config(registry.host))
    else:
        monkeypatch.setenv("OCI_USERNAME", USER)
        monkeypatch.setenv("OCI_PASSWORD", PASSWORD)
    check_whole(uri, ECHO_DIGEST, tmp_path / "cache")


def _pushed(request: pytest.FixtureRequest, registry: OciRegistry, kind: str, tmp: Path) -> str:
    """A bundle in the registry; oras cannot sign in to a token service with a password alone, so it has a file."""
    if kind == "locked_oci":
        return registry.push("models/echo:1", packed(tmp), login=True)
    config = tmp / "push" / "config.json"
    config.parent.mkdir()
    config.write_text(_docker_config(registry.host))
    import oras.provider

    client = oras.provider.Registry(registry.host, insecure=True)
    client.push(
        f"{registry.host}/models/echo:1",
        files=[str(packed(tmp))],
        config_path=str(config),
        disable_path_validation=True,
        quiet=True,
    )
    return f"oci://{registry.host}/models/echo:1"


@pytest.mark.parametrize("kind", ["locked_oci", "token_oci"])
@pytest.mark.parametrize("password", [None, "wrong-horse"])
def test_without_the_right_password_it_stays_shut(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    password: str | None,
) -> None:
    registry: OciRegistry = request.getfixturevalue(kind)
    if password is not None:
        monkeypatch.setenv(".dockerconfigjson", _docker_config(registry.host, password))
    with caplog.at_level(logging.DEBUG):
        said = refusal(f"oci://{registry.host}/models/echo:1", ECHO_DIGEST, tmp_path / "cache")
    assert "the server answered 401; check spec.bundle.uri, its credentials (spec.bundle.secretRef)" in said
    encoded = base64.b64encode(f"{USER}:{password}".encode()).decode()
    assert "wrong-horse" not in said + caplog.text
    assert encoded not in said + caplog.text


def test_a_download_that_breaks_off_is_never_loaded(oci: OciRegistry, tmp_path: Path) -> None:
    folder = big_bundle(tmp_path)
    oci.push("models/big:1", packed(tmp_path, folder))
    with Wire(oci.port) as wire:
        wire.cut_after = BIG // 4
        uri = f"oci://127.0.0.1:{wire.port}/models/big:1"
        assert "the transfer broke off" in refusal(uri, digest_folder(folder), tmp_path / "cache")
        wire.cut_after = None
        check_whole(uri, digest_folder(folder), tmp_path / "cache")


def test_a_killed_download_is_never_loaded(oci: OciRegistry, tmp_path: Path) -> None:
    folder, cache = big_bundle(tmp_path), tmp_path / "cache"
    uri = oci.push("models/killed:1", packed(tmp_path, folder))
    with Wire(oci.port) as wire:
        wire.stall_after = BIG // 2
        kill_while_fetching(f"oci://127.0.0.1:{wire.port}/models/killed:1", digest_folder(folder), cache, {})
    check_whole(uri, digest_folder(folder), cache)


def test_a_blob_that_rotted_in_the_registry_is_not_taken(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    from tests.peers.oci_registry import registry

    root = tmp_path_factory.mktemp("rotten")
    with registry(root) as made:
        uri = made.push("models/echo:1", packed(tmp_path))
        blobs = [path for path in (root / "data").rglob("data") if path.is_file()]
        biggest = max(blobs, key=lambda path: path.stat().st_size)
        content = biggest.read_bytes()
        biggest.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        said = refusal(uri, ECHO_DIGEST, tmp_path / "cache")
    assert said.startswith(("BundleNotFound", "BundleInvalid"))


def test_a_pod_serves_from_the_registry(oci: OciRegistry, tmp_path: Path) -> None:
    source = {"uri": oci.push("models/echo:pod", packed(tmp_path)), "digest": ECHO_DIGEST, "path": None}
    with running(tmp_path / "pod", config_for(tmp_path, ECHO, bundle=source), HOME=os.environ["HOME"]) as runtime:
        assert runtime.predict({"decision": "served"}).body["decision"] == "served"
