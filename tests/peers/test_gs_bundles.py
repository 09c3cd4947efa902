"""Bundles in a Google Cloud Storage, played by fake-gcs-server over real HTTP."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.programs import Program, build
from tests.peers.daemons import daemon, free_port
from tests.peers.fetching import ECHO, ECHO_DIGEST, check_whole, packed, refusal

SERVER = Program("fake-gcs-server", "github.com/fsouza/fake-gcs-server@v1.52.2")


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A storage with the bundle in a bucket; the service account's key for it."""
    folder, port = tmp_path_factory.mktemp("gs"), free_port()
    bucket = folder / "data" / "models"
    bucket.mkdir(parents=True)
    shutil.copytree(ECHO, bucket / "echo", ignore=shutil.ignore_patterns("__pycache__"))
    packed(bucket)
    argv = [str(build(SERVER)), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    base = f"http://127.0.0.1:{port}"
    key = {"gcs_base_url": base, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    with daemon([*argv, "-data", str(folder / "data"), "-public-host", f"127.0.0.1:{port}"], port, folder / "log"):
        yield json.dumps(key)


@pytest.mark.parametrize("uri", ["gs://models/echo/", "gs://models/bundle.tar.gz"])
def test_a_prefix_and_an_archive(google: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", google)
    check_whole(uri, ECHO_DIGEST, tmp_path / "cache")


@pytest.mark.parametrize("uri", ["gs://models/no/such/", "gs://models/no/such.tar.gz"])
def test_what_is_not_there(google: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", google)
    assert "no such bucket, or nothing in it under this name" in refusal(uri, ECHO_DIGEST, tmp_path / "cache")


def test_a_key_that_is_none_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", '{"private_key": "s3cret"')
    said = refusal("gs://models/echo/", ECHO_DIGEST, tmp_path / "cache")
    assert said.startswith("BundleNotFound: gs://models/echo/: ")
    assert "s3cret" not in said


def test_an_azure_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No free server speaks Azure's protocol in Go or Python: that the library is asked in its way must do."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "models")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "czNjcmV0")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    said = refusal("az://models/echo/", ECHO_DIGEST, tmp_path / "cache")
    assert "cannot reach the store" in said
    assert "czNjcmV0" not in said
