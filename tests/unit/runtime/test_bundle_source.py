from pathlib import Path

import pytest
from tests.unit.runtime.builders import BUNDLES, DIGEST, MANIFEST, write_bundle

from turnout_runtime.bundle.archive import pack
from turnout_runtime.bundle.source import obtain
from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.errors import BundleInvalid, BundleNotFound, DigestMismatch

ECHO = digest_folder(BUNDLES / "echo")
ARTIFACT = b"artifacts: {words: {path: words.txt, sha256: " + b"a" * 64 + b"}}\n"
URI = "configmap://echo/bundle.tar.gz"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    pack(BUNDLES / "echo", tmp_path / "bundle.tar.gz")
    return tmp_path / "bundle.tar.gz"


def test_an_archive_is_unpacked_once_under_its_digest(tmp_path: Path, packed: Path) -> None:
    cache = tmp_path / "cache"
    bundle = obtain(URI, ECHO, packed, cache)
    assert bundle.folder == cache / ECHO.removeprefix("sha256:")
    assert bundle.manifest.name == "echo"
    inode = (bundle.folder / "workflow.py").stat().st_ino
    assert (obtain(URI, ECHO, packed, cache).folder / "workflow.py").stat().st_ino == inode


def test_a_cache_that_was_changed_is_replaced(tmp_path: Path, packed: Path) -> None:
    folder = obtain(URI, ECHO, packed, tmp_path / "cache").folder
    (folder / "workflow.py").write_text("raise SystemExit")
    (folder.with_name(f".{folder.name}.unpacked")).mkdir()
    (folder.with_name(f".{DIGEST}.fetched")).write_text("half of another bundle")
    assert digest_folder(obtain(URI, ECHO, packed, tmp_path / "cache").folder) == ECHO
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [".lock", folder.name]


@pytest.mark.parametrize("stray", ["__pycache__/workflow.cpython-311.pyc", "notes.txt", "link"])
def test_what_a_workflow_left_in_the_cache_does_not_keep_the_pod_from_its_next_start(
    tmp_path: Path, packed: Path, stray: str
) -> None:
    folder = obtain(URI, ECHO, packed, tmp_path / "cache").folder
    (folder / stray).parent.mkdir(exist_ok=True)
    if stray == "link":
        (folder / stray).symlink_to("/etc/passwd")
    else:
        (folder / stray).write_text("x")
    assert digest_folder(obtain(URI, ECHO, packed, tmp_path / "cache").folder) == ECHO


@pytest.mark.parametrize("uri", ["file:///here", "image://registry/echo:1"])
def test_a_folder_that_nobody_else_writes_to_is_used_where_it_lies(tmp_path: Path, uri: str) -> None:
    assert obtain(uri, ECHO, BUNDLES / "echo", tmp_path).folder == BUNDLES / "echo"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_on_a_volume_may_change_once_it_is_verified(tmp_path: Path) -> None:
    volume = write_bundle(tmp_path / "volume")
    digest = digest_folder(volume)
    bundle = obtain("pvc://claim/echo", digest, volume, tmp_path / "cache")
    (volume / "workflow.py").write_text("raise SystemExit")
    assert digest_folder(bundle.folder) == digest
    assert obtain("pvc://claim/echo", digest, volume, tmp_path / "cache").folder == bundle.folder


@pytest.mark.parametrize("source", ["folder", "archive"])
def test_another_bundle_than_asked_for_is_told_with_both_digests(tmp_path: Path, packed: Path, source: str) -> None:
    path = packed if source == "archive" else BUNDLES / "echo"
    with pytest.raises(DigestMismatch, match=f"wanted {DIGEST}, got {ECHO}"):
        obtain(URI, DIGEST, path, tmp_path / "cache")
    assert [p.name for p in (tmp_path / "cache").rglob("*")] in ([".lock"], [])


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("configmap://champion", "create ConfigMap 'champion' with the key 'bundle.tar.gz'"),
        ("configmap://champion/b.tgz", "create ConfigMap 'champion' with the key 'b.tgz'"),
        ("image://registry/models:1", "image://registry/models:1: the image is not mounted"),
        ("file:///no/such", "file:///no/such: no such file or folder"),
        ("pvc://models/a/b.tgz", "PersistentVolumeClaim 'models' has no file or folder 'a/b.tgz'"),
    ],
)
def test_a_missing_source_says_what_to_create(tmp_path: Path, uri: str, told: str) -> None:
    with pytest.raises(BundleNotFound, match=told):
        obtain(uri, DIGEST, tmp_path / "absent", tmp_path / "cache")


def test_a_bundle_without_its_manifest_or_model(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    with pytest.raises(BundleInvalid, match=r"no bundle\.yaml at the bundle's root"):
        obtain(URI, digest_folder(tmp_path), tmp_path, tmp_path)
    whole = write_bundle(tmp_path / "whole")
    manifest = whole / "bundle.yaml"
    manifest.write_text(manifest.read_text() + "models: {m: {path: m.onnx, format: onnx}}")
    with pytest.raises(BundleInvalid, match=r"models\.m\.path"):
        obtain(URI, digest_folder(whole), whole, tmp_path)


def test_a_file_that_is_not_the_manifests(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b", bundle_yaml=MANIFEST + ARTIFACT, words_txt=b"other words")
    with pytest.raises(DigestMismatch, match=r"artifacts\.words\.path: words\.txt has the sha256 \w{64}, not aaaa"):
        obtain(URI, digest_folder(folder), folder, tmp_path)


def test_a_cache_that_cannot_be_written(tmp_path: Path, packed: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleInvalid, match="cannot unpack or read the bundle"):
        obtain(URI, ECHO, packed, tmp_path / "file" / "cache")
