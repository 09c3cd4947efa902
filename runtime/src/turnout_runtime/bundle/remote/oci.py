"""Bundles as OCI artifacts: one layer is the archive, or each layer is one file under its title.

Both are what `oras push REGISTRY/NAME:TAG …` makes. Nothing is taken on trust: a layer's bytes must have the sha256
that the artifact's manifest says.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from turnout_runtime.bundle.digest import sha256_of
from turnout_runtime.bundle.paths import Budget, check_no_clash, check_path
from turnout_runtime.bundle.progress import Progress, Tell
from turnout_runtime.bundle.remote.http import new_session, retried, save
from turnout_runtime.bundle.remote.registry import Registry
from turnout_runtime.errors import BundleInvalid

_TITLE = "org.opencontainers.image.title"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE = re.compile(
    r"oci://(?P<registry>[^/@\s]+)/(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_ACCEPTED = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
_MAX_MANIFEST = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class Layer:
    """One blob of an artifact; `title` is its file's name, None where the artifact does not say."""

    digest: str
    size: int
    title: str | None
    media_type: str

    @property
    def is_archive(self) -> bool:
        """Whether this layer may be a whole bundle."""
        return "tar" in self.media_type or (self.title or "").endswith((".tar.gz", ".tgz", ".tar"))


async def pull(uri: str, target: Path, progress: Progress, *, tries: int = 3, pause: float = 0.5) -> None:
    """Bring the artifact `oci://REGISTRY/NAME[:TAG][@DIGEST]` to `target`, as the archive or as a folder.

    Raises `BundleNotFound` or `BundleInvalid`.
    """
    found = _REFERENCE.fullmatch(uri)
    if found is None:
        raise BundleInvalid("spec.bundle.uri: an OCI artifact is oci://REGISTRY/NAME:TAG or …@sha256:DIGEST")
    reference = found["digest"] or found["tag"] or "latest"
    async with new_session() as session:
        registry = Registry(session, found["registry"], found["name"])
        document = await retried(uri, lambda: _manifest(registry, reference), tries=tries, pause=pause)
        layers = parse_manifest(document, uri)
        with progress(f"fetching {found['name']}", sum(layer.size for layer in layers), "B") as tell:
            for layer, place in _places(layers, target):
                await retried(uri, lambda: _blob(registry, layer, place, tell), tries=tries, pause=pause)  # noqa: B023


async def _manifest(registry: Registry, reference: str) -> bytes:
    async with registry.get(f"manifests/{reference}", Accept=_ACCEPTED) as response:
        return await response.content.read(_MAX_MANIFEST)


async def _blob(registry: Registry, layer: Layer, target: Path, tell: Tell) -> None:
    async with registry.get(f"blobs/{layer.digest}") as response:
        await save(response, target, f"layer {layer.digest}", tell)
    with target.open("rb") as stream:
        if f"sha256:{sha256_of(stream)}" != layer.digest:
            raise aiohttp.ClientPayloadError("the layer's bytes are not those of its digest")


def parse_manifest(document: bytes, uri: str) -> list[Layer]:
    """The layers of an OCI image manifest; raises `BundleInvalid` for what cannot be a bundle. Pure."""
    try:
        layers = [_layer(item) for item in json.loads(document)["layers"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BundleInvalid(f"{uri} is not an OCI artifact with layers: push the bundle with `oras push`") from None
    budget = Budget()
    for layer in layers:
        budget.add(layer.title or layer.digest, layer.size)
    if len(layers) == 1 and layers[0].is_archive:
        return layers
    if not layers or any(layer.title is None for layer in layers):
        raise BundleInvalid(f"{uri} holds neither one .tar.gz nor titled files: push the bundle with `oras push`")
    titles = [check_path(layer.title or "") for layer in layers]
    if len(set(titles)) != len(titles):
        raise BundleInvalid(f"{uri} has two layers of the same title")
    check_no_clash(titles)
    return layers


def _layer(item: Any) -> Layer:
    digest, size = item["digest"], item["size"]
    title = (item.get("annotations") or {}).get(_TITLE)
    if not _DIGEST.fullmatch(digest) or type(size) is not int or size < 0 or not isinstance(title, str | None):
        raise ValueError("not a layer")
    return Layer(digest, size, title, str(item.get("mediaType", "")))


def _places(layers: list[Layer], target: Path) -> list[tuple[Layer, Path]]:
    if len(layers) == 1 and layers[0].is_archive:
        return [(layers[0], target)]
    places = [(layer, target / (layer.title or "")) for layer in layers]
    for _, place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
    return places
