import base64
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout_runtime.bundle.remote.oci import parse_manifest
from turnout_runtime.bundle.remote.registry import login
from turnout_runtime.errors import BundleInvalid

TITLE = "org.opencontainers.image.title"
TAR = "application/vnd.oci.image.layer.v1.tar+gzip"


def _layer(title: str | None = None, media_type: str = "text/plain", **fields: Any) -> dict[str, Any]:
    annotations = {} if title is None else {"annotations": {TITLE: title}}
    return {"mediaType": media_type, "digest": "sha256:" + "a" * 64, "size": 3, **annotations, **fields}


def _parsed(*layers: Any) -> list[str | None]:
    return [layer.title for layer in parse_manifest(json.dumps({"layers": layers}).encode(), "oci://r/n:1")]


def test_one_archive_or_titled_files() -> None:
    assert _parsed(_layer(None, TAR)) == [None]
    assert _parsed(_layer("b.tgz")) == ["b.tgz"]
    assert _parsed(_layer("bundle.yaml"), _layer("a/b.txt")) == ["bundle.yaml", "a/b.txt"]


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([], "holds neither one .tar.gz nor titled files"),
        ([_layer(None)], "holds neither one .tar.gz nor titled files"),
        ([_layer(None, TAR), _layer(None, TAR)], "holds neither one .tar.gz nor titled files"),
        ([_layer("../x"), _layer("y")], "unsafe path"),
        ([_layer("/etc/passwd"), _layer("y")], "unsafe path"),
        ([_layer("x"), _layer("x")], "two layers of the same title"),
        ([_layer("x"), _layer("x/y")], "both a file and a folder"),
        ([_layer("x", size=3 * 1024**3)], "larger than"),
        ([_layer("x", digest="sha256:../../x")], "is not an OCI artifact with layers"),
        ([_layer("x", size="3")], "is not an OCI artifact with layers"),
        ([3], "is not an OCI artifact with layers"),
    ],
)
def test_what_cannot_be_a_bundle(layers: list[Any], told: str) -> None:
    with pytest.raises(BundleInvalid, match=told):
        _parsed(*layers)


_ANY = st.recursive(
    st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=9), st.sampled_from(["sha256:" + "a" * 64, TAR])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["layers", "digest", "size", "annotations", TITLE, "mediaType"]), inner),
    ),
)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=60), _ANY.map(orjson.dumps)))
def test_any_manifest_is_taken_or_refused(document: bytes) -> None:
    try:
        told = str(len(parse_manifest(document, "oci://r/n:1")))
    except BundleInvalid as error:
        told = str(error)
    assert told


def _config(host: str, entry: dict[str, str]) -> str:
    return json.dumps({"auths": {host: entry}})


AUTH = {"auth": base64.b64encode(b"me:a:b").decode()}


@pytest.mark.parametrize(
    ("host", "environment", "expected"),
    [
        ("r.io", {}, None),
        ("r.io", {"OCI_USERNAME": "me"}, None),
        ("r.io", {"OCI_USERNAME": "me", "OCI_PASSWORD": "x"}, ("me", "x")),
        ("r.io", {".dockerconfigjson": _config("r.io", AUTH)}, ("me", "a:b")),
        ("r.io", {".dockerconfigjson": _config("https://r.io", {"username": "u", "password": "p"})}, ("u", "p")),
        ("r.io", {"DOCKER_AUTH_CONFIG": _config("other.io", AUTH)}, None),
        ("docker.io", {"DOCKER_AUTH_CONFIG": _config("https://index.docker.io/v1/", AUTH)}, ("me", "a:b")),
        ("r.io", {".dockerconfigjson": "{", "DOCKER_AUTH_CONFIG": _config("r.io", AUTH)}, ("me", "a:b")),
        ("r.io", {".dockerconfigjson": _config("r.io", {"auth": "%%%"})}, None),
        ("r.io", {".dockerconfigjson": "[]"}, None),
    ],
)
def test_who_we_are_to_a_registry(
    tmp_path: Path, host: str, environment: dict[str, str], expected: tuple[str, str] | None
) -> None:
    assert login(host, {"HOME": str(tmp_path), **environment}) == expected


def test_the_docker_configuration_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(_config("r.io", AUTH))
    assert login("r.io", {"DOCKER_CONFIG": str(tmp_path)}) == ("me", "a:b")
