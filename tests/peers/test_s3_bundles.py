"""Bundles in a real S3 store."""

import logging
import os
import time
from pathlib import Path

import pytest
from tests.integration.runtime.process import Runtime, config_for, running, stop
from tests.peers.daemons import Wire, free_port
from tests.peers.fetching import (
    BIG,
    ECHO,
    ECHO_DIGEST,
    big_bundle,
    check_whole,
    contents,
    kill_while_fetching,
    packed,
    refusal,
)
from tests.peers.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore
from tests.unit.runtime.builders import DIGEST, write_bundle

from turnout_runtime.bundle.source import obtain
from turnout_runtime.bundle.tree import digest_folder


def test_an_archive_and_a_prefix_are_the_same_bundle(cloud: ObjectStore, tmp_path: Path) -> None:
    check_whole(cloud.put("echo/1.tar.gz", packed(tmp_path).read_bytes()), ECHO_DIGEST, tmp_path / "archive")
    prefix = cloud.put_folder("echo/1", ECHO)
    check_whole(prefix, ECHO_DIGEST, tmp_path / "prefix")
    check_whole(prefix.rstrip("/"), ECHO_DIGEST, tmp_path / "no-slash")


def test_folders_of_folders_and_big_files_arrive(cloud: ObjectStore, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "deep", ballast_bin=os.urandom(BIG), a__b__c_txt=b"deep", empty_txt=b"")
    check_whole(cloud.put_folder("deep/2", folder), digest_folder(folder), tmp_path / "cache")


def test_what_was_fetched_once_needs_no_store(
    cloud: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = cloud.put_folder("echo/cached", ECHO)
    check_whole(uri, ECHO_DIGEST, tmp_path / "cache")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    check_whole(uri, ECHO_DIGEST, tmp_path / "cache")


@pytest.mark.parametrize("bucket", ["models", "no-such-bucket"])
@pytest.mark.parametrize("path", ["no/such.tar.gz", "no/such/"])
def test_what_is_not_there(cloud: ObjectStore, tmp_path: Path, bucket: str, path: str) -> None:
    uri = f"s3://{bucket}/{path}"
    said = refusal(uri, DIGEST, tmp_path / "cache")
    assert said == f"BundleNotFound: {uri}: no such bucket, or nothing in it under this name; check spec.bundle.uri"


def test_another_bundle_than_asked_for(cloud: ObjectStore, tmp_path: Path) -> None:
    uri = cloud.put_folder("echo/other", write_bundle(tmp_path / "other"))
    assert refusal(uri, ECHO_DIGEST, tmp_path / "cache").startswith(f"DigestMismatch: wanted {ECHO_DIGEST}, got sha256")


def test_bytes_that_are_no_archive(cloud: ObjectStore, tmp_path: Path) -> None:
    uri = cloud.put("broken/1.tar.gz", packed(tmp_path).read_bytes()[:200])
    assert refusal(uri, ECHO_DIGEST, tmp_path / "cache").startswith("BundleInvalid: the bundle is not a readable")


@pytest.mark.parametrize("uri", ["s3://models/echo/locked.tar.gz", "s3://models/echo/locked/"])
@pytest.mark.parametrize("wrong", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_told_and_never_shown(
    cloud: ObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    uri: str,
    wrong: str,
) -> None:
    cloud.put("echo/locked.tar.gz", packed(tmp_path).read_bytes())
    cloud.put_folder("echo/locked", ECHO)
    monkeypatch.setenv(wrong, "WRONGBUTSECRET")
    with caplog.at_level(logging.DEBUG):
        said = refusal(uri, ECHO_DIGEST, tmp_path / "cache")
    assert "the store refuses the credentials, or there are none: set AWS_ACCESS_KEY_ID and" in said
    for secret in ("WRONGBUTSECRET", ACCESS_KEY, SECRET_KEY):
        assert secret not in said + caplog.text


def test_no_credentials_at_all(cloud: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.put_folder("echo/nobody", ECHO)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    started = time.monotonic()
    assert refusal("s3://models/echo/nobody/", DIGEST, tmp_path / "cache").startswith("BundleNotFound")
    assert time.monotonic() - started < 40
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert "refuses the credentials" in refusal("s3://models/echo/nobody/", DIGEST, tmp_path / "cache")


def test_a_store_that_is_not_there_is_told_soon(
    cloud: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    started = time.monotonic()
    said = refusal("s3://models/b.tar.gz", DIGEST, tmp_path / "cache")
    assert "cannot reach the store" in said
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("form", ["archive", "prefix"])
def test_a_download_that_breaks_off_is_never_loaded(
    cloud: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    folder = big_bundle(tmp_path)
    uri = (
        cloud.put("broken-off/1.tar.gz", packed(tmp_path, folder).read_bytes())
        if form == "archive"
        else cloud.put_folder("broken-off/1", folder)
    )
    with Wire(cloud.port) as wire:
        wire.cut_after = BIG // 4
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{wire.port}")
        assert "cannot reach the store, or the transfer broke off" in refusal(
            uri, digest_folder(folder), tmp_path / "cache"
        )
        wire.cut_after = None
        check_whole(uri, digest_folder(folder), tmp_path / "cache")


@pytest.mark.parametrize("form", ["archive", "prefix"])
def test_a_killed_download_is_never_loaded(cloud: ObjectStore, tmp_path: Path, form: str) -> None:
    folder, cache = big_bundle(tmp_path), tmp_path / "cache"
    digest = digest_folder(folder)
    uri = (
        cloud.put("killed/1.tar.gz", packed(tmp_path, folder).read_bytes())
        if form == "archive"
        else cloud.put_folder("killed/1", folder)
    )
    with Wire(cloud.port) as wire:
        wire.stall_after = BIG // 2
        kill_while_fetching(uri, digest, cache, cloud.environment(wire.port))
    check_whole(uri, digest, cache)


def test_a_cache_that_was_changed_is_fetched_again(cloud: ObjectStore, tmp_path: Path) -> None:
    uri = cloud.put_folder("echo/changed", ECHO)
    (obtain(uri, ECHO_DIGEST, None, tmp_path / "cache").folder / "workflow.py").write_text("raise SystemExit")
    check_whole(uri, ECHO_DIGEST, tmp_path / "cache")


def test_a_pod_serves_from_the_store(cloud: ObjectStore, tmp_path: Path) -> None:
    source = {"uri": cloud.put_folder("echo/pod", ECHO), "digest": ECHO_DIGEST, "path": None}
    with running(tmp_path, config_for(tmp_path, ECHO, bundle=source), **cloud.environment()) as runtime:
        assert runtime.predict({"decision": "served"}).body["decision"] == "served"
    assert contents(tmp_path / "cache") == [".lock", ECHO_DIGEST.removeprefix("sha256:")]


def test_a_pod_that_may_not_read_says_so_in_its_last_words(cloud: ObjectStore, tmp_path: Path) -> None:
    cloud.put_folder("echo/denied", ECHO)
    source = {"uri": "s3://models/echo/denied/", "digest": ECHO_DIGEST, "path": None}
    environment = cloud.environment(secret="not-the-secret")
    runtime = Runtime(tmp_path, config_for(tmp_path, ECHO, bundle=source), **environment)
    try:
        words = runtime.last_words()
    finally:
        stop(runtime)
    assert words["reason"] == "BundleNotFound"
    assert "the store refuses the credentials" in words["message"]
    told = (runtime.folder / "stderr").read_text() + words["message"]
    assert "not-the-secret" not in told
    assert ACCESS_KEY not in told
