"""Images without Docker: a base made from Debian's packages, Dockerfiles built by buildah, kept in the cache."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import hashing, prerequisites
from tests.cluster.oci import Layout
from tests.cluster.paths import CHECKOUT, SOURCES, cache_root
from tests.cluster.progress import Step, step
from tests.cluster.recipes import Recipe
from tests.cluster.shell import run, stream

SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
LEFT_OUT = ("man", "locale", "doc", "info")
KEPT = 3  # builds of one image that stay in the cache
FAST = ("--quiet", "--compression-format", "gzip", "--compression-level", "1")  # layers stay on this machine
STORAGE_LIMIT = 12 << 30  # bytes of layers that speed up builds; beyond, they are built anew
# How this host reaches package indexes: lent to builds, never copied into an image.
HOST_NETWORK = ("/etc/ssl/certs", "/usr/share/ca-certificates", "/etc/pip.conf", "/etc/uv", "/etc/apt")


class Buildah:
    """Builds recipes into an OCI layout that checkouts share."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root() / "images"
        self.layout = Layout(self.root / "layout")

    def base(self) -> str:
        """Return the base image's name, a hash of what it is made from."""
        key = hashing.key(SUITE, PACKAGES, *LEFT_OUT, files=[SOURCES / "images/base/Dockerfile"], base=SOURCES)
        return f"localhost/turnout/base:{key}"

    def reference(self, recipe: Recipe) -> str:
        """Return the name of an image, which tells its content."""
        return recipe.reference(self.base())

    def has(self, reference: str) -> bool:
        """Tell whether `reference` is in the cache."""
        return full_name(reference) in self.layout.names()

    def build(self, recipe: Recipe, reference: str, current: Step) -> None:
        """Build `recipe` as `reference` into the cache."""
        prerequisites.ensure(prerequisites.IMAGES)
        self.root.mkdir(parents=True, exist_ok=True)
        with self._exclusive():
            self._limit_storage()
            self._ensure_base()
            self._run(build_arguments(recipe, reference, self.base(), host_volumes()), current)
            run([*self._buildah(), "push", *FAST, full_name(reference), self._destination(reference)])
            for name in self.layout.prune(KEPT):
                subprocess.run([*self._buildah(), "rmi", "--force", name], capture_output=True, check=False)

    def size_above_base(self, reference: str) -> int:
        """Return an image's unpacked bytes above its base."""
        return self.layout.size_above_base(full_name(reference))

    def _ensure_base(self) -> None:
        listed = run([*self._buildah(), "images", "--quiet", "--filter", f"reference={self.base()}"])
        if listed.strip():
            return
        archive = self.root / f"base-{self.base().rpartition(':')[2]}.tar"
        if not archive.exists():
            make_base(archive)
        with step("base image"), tempfile.TemporaryDirectory(dir=self.root) as context:
            shutil.copy(SOURCES / "images/base/Dockerfile", context)
            os.link(archive, Path(context) / "base.tar")
            run([*self._buildah(), "bud", "--quiet", "--isolation", "chroot", "--tag", self.base(), context])

    def _limit_storage(self) -> None:
        """Empty the store of layers when it is too big; the images themselves are in the layout."""
        storage = self.root / "storage"
        if storage.exists() and int(run(["du", "-sb", storage]).split()[0]) > STORAGE_LIMIT:
            run([*self._buildah(), "rmi", "--all", "--force"])

    def _run(self, arguments: list[str], current: Step) -> None:
        def seen(line: str) -> None:
            if "STEP" in line:
                current.note = line[:100]

        stream([*self._buildah(), *arguments], seen, cwd=CHECKOUT, env=dict(os.environ))
        current.note = ""

    def _buildah(self) -> list[str]:
        storage = ["--root", str(self.root / "storage"), "--runroot", "/run/turnout-buildah"]
        return ["buildah", *storage, "--storage-driver", "overlay"]

    def _destination(self, reference: str) -> str:
        return f"oci:{self.layout.root}:{full_name(reference)}"

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def full_name(reference: str) -> str:
    """Return the name under which the kubelet looks for `reference`."""
    return f"docker.io/{reference}"


def build_arguments(recipe: Recipe, reference: str, base: str, volumes: list[str]) -> list[str]:
    """Return buildah's arguments to build `recipe`, without privileges that a virtual machine or container may lack."""
    lent = [word for path in volumes for word in ("--volume", f"{path}:{path}:ro")]
    options = ["--isolation", "chroot", "--network", "host", "--layers", "--build-arg", f"BASE_IMAGE={base}"]
    return ["bud", *options, *lent, "--file", recipe.dockerfile, "--tag", full_name(reference), "."]


def host_volumes() -> list[str]:
    """Return the folders and files of HOST_NETWORK that this host has."""
    return [path for path in HOST_NETWORK if Path(path).exists()]


def make_base(archive: Path) -> None:
    """Make the root file system of the base image, from the package sources of this host."""
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    sources = [path for path in Path("/etc/apt").glob("sources.list.d/debian*") if SUITE in path.read_text()]
    with step(f"making the base image from Debian {SUITE} packages"):
        scratch = archive.with_suffix(".new.tar")
        run(["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", *options, SUITE, scratch, *sources])
        scratch.rename(archive)
