"""The Go programs: the cluster's own module and pinned tools, each built once into the cache."""

import itertools
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.cluster import hashing, prerequisites
from tests.cluster.paths import SOURCES, cache_root
from tests.cluster.progress import Step, step
from tests.cluster.shell import ClusterError, run, stream

MODULE = SOURCES / "node"
VERSION_PACKAGE = "k8s.io/component-base/version"
KEPT = 3  # builds of one program that stay in the cache


@dataclass(frozen=True)
class Program:
    """A Go main package: of this repository's module, or `package@version` of the module proxy."""

    name: str
    package: str

    @property
    def local(self) -> bool:
        return "@" not in self.package


NODE = Program("node", ".")
KUBECTL = Program("kubectl", "./kubectl")
GPU_PLUGIN = Program("gpuplugin", "./gpuplugin")
PAUSE = Program("pause", "./pause")
HELM = Program("helm", "helm.sh/helm/v4/cmd/helm@v4.3.1")
KUBECONFORM = Program("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0")
KIND = Program("kind", "sigs.k8s.io/kind@v0.33.0")
KWOK = Program("kwok", "sigs.k8s.io/kwok/cmd/kwok@v0.8.0")

CLUSTER = (PAUSE, GPU_PLUGIN, KUBECTL, NODE)
TOOLS = (KUBECTL, HELM, KUBECONFORM)


def kubernetes_version(go_mod: str) -> str:
    """Return the Kubernetes version that a go.mod requires, as in v1.36.3."""
    found = re.search(r"k8s\.io/kubernetes (v\d+\.\d+\.\d+)", go_mod)
    if not found:
        raise ClusterError("go.mod does not require k8s.io/kubernetes")
    return found.group(1)


def flags(program: Program, version: str) -> list[str]:
    """Return the build flags: static and stripped, and for our module the version that Kubernetes reports."""
    linker = "-s -w"
    if program.local:
        major, minor, _ = version.removeprefix("v").split(".")
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
        linker += "".join(f" -X {VERSION_PACKAGE}.{name}={value}" for name, value in values.items())
    return ["-trimpath", "-buildvcs=false", "-ldflags", linker]


def cached(program: Program) -> Path:
    """Return where the build of `program` from today's inputs is, or will be."""
    version = kubernetes_version((MODULE / "go.mod").read_text())
    files = hashing.sources(MODULE / "go.mod", MODULE / "go.sum", MODULE / program.package) if program.local else []
    if program is NODE:
        files = [path for path in files if path.parent == MODULE]
    key = hashing.key(program.package, _go_version(), *flags(program, version), files=files, base=MODULE)
    return cache_root() / "bin" / f"{program.name}-{key}"


def build(program: Program) -> Path:
    """Build `program` unless the cache has it, and return its path."""
    target = cached(program)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with step(f"building {program.name}") as current, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            Path(_compile(program, Path(scratch), current)).rename(target)
        prune(target.parent.glob(f"{program.name}-*"))
    os.utime(target)
    return target


def link(programs: Iterable[Program], folder: Path) -> None:
    """Build `programs` and link them into `folder` by their plain names."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs:
        fresh = folder / f".{program.name}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(build(program))
        fresh.rename(folder / program.name)


def _compile(program: Program, scratch: Path, current: Step) -> Path:
    version = kubernetes_version((MODULE / "go.mod").read_text())
    verb = ["build", "-o", str(scratch / program.name)] if program.local else ["install"]
    argv = [prerequisites.go(), *verb, "-v", *flags(program, version), program.package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(scratch), "GOFLAGS": "", "GOWORK": "off"}
    count = itertools.count(1)

    def seen(line: str) -> None:
        current.note = f"{next(count)} packages and modules, at {line[:60]}"

    stream(argv, seen, cwd=MODULE, env=environment)
    current.note = ""
    return scratch / program.name


def prune(builds: Iterable[Path]) -> None:
    """Remove all but the newest builds of one program."""
    for path in sorted(builds, key=lambda p: p.stat().st_mtime, reverse=True)[KEPT:]:
        path.unlink()


@cache
def _go_version() -> str:
    return run([prerequisites.go(), "env", "GOVERSION"]).strip()
