"""A bundle on this machine, as the pod would see it, whatever its digest is."""

import argparse
import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from turnout_runtime.bundle.local import existing, open_bundle
from turnout_runtime.bundle.manifest import FILE, Manifest, parse
from turnout_runtime.bundle.source import Bundle
from turnout_runtime.cli.progress import bar
from turnout_runtime.config import ModelServer, Requires, Serving
from turnout_runtime.errors import BundleInvalid
from turnout_runtime.loading import LoadedWorkflow, load_workflow
from turnout_runtime.scratch import scratch

SERVING = Serving.model_validate(
    {"concurrency": 16, "maxQueueDepth": 64, "maxQueueWaitSeconds": 0.1, "timeoutSeconds": 2.0, "drainSeconds": 0.0}
)
"""Limits for a laptop."""


def left_out(name: str) -> bool:
    """Whether a file or folder of this name is a tool's, and no part of a bundle that is built."""
    return name.startswith(".") or name == "__pycache__" or name.endswith((".pyc", "~"))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an author's folder; raises `BundleNotFound`, or `BundleInvalid` saying how to get one."""
    if not existing(folder).is_dir():
        raise BundleInvalid(f"{folder} is a built archive: give the folder that it was built from")
    if not (folder / FILE).is_file():
        raise BundleInvalid(f"no {FILE} in {folder}: `turnout bundle init NAME` writes a first one")
    return parse((folder / FILE).read_bytes())


def check_output(folder: Path, out: Path) -> None:
    """Raise `BundleInvalid` for an archive that would become a part of the bundle."""
    if out.resolve().is_relative_to(folder.resolve()):
        raise BundleInvalid(f"{out} is inside the bundle: write the archive somewhere else")
    if not out.resolve().parent.is_dir():
        raise BundleInvalid(f"{out.parent} is no folder: make it first, or write the archive somewhere else")


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """The folder without what tools left in it: itself, when it is clean, else a copy that lives for a while."""
    if not any(left_out(entry.name) for entry in folder.rglob("*")):
        yield folder
        return
    with copied(folder) as copy:
        yield copy


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """A copy without what tools left in it, for a while."""
    with scratch() as place:
        copy = place / (folder.resolve().name or "bundle")
        shutil.copytree(folder, copy, symlinks=True, ignore=lambda _, names: [n for n in names if left_out(n)])
        yield copy


@contextmanager
def without_golden(folder: Path) -> Iterator[Path]:
    """A copy of which golden examples are not asked."""
    with copied(folder) as copy:
        file = copy / FILE
        document = yaml.load(file.read_bytes(), Loader=yaml.BaseLoader) if file.is_file() else None  # noqa: S506
        if isinstance(document, dict) and document.pop("golden", None):
            file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
        yield copy


@contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """The bundle in a folder or an archive, its files checked; raises `BundleInvalid` or `BundleNotFound`."""
    with scratch() as cache:
        yield open_bundle(path, cache, None, bar)


def loaded(bundle: Bundle, requires: Requires | None = None, server: ModelServer | None = None) -> LoadedWorkflow:
    """Everything a pod does before it serves; raises a `StartError`."""
    return asyncio.run(_loaded(bundle, requires, server))


async def _loaded(bundle: Bundle, requires: Requires | None, server: ModelServer | None) -> LoadedWorkflow:
    workflow = await load_workflow(bundle, SERVING, requires=requires, model_server=server, progress=bar)
    await workflow.close()
    return workflow


def model_server(arguments: argparse.Namespace) -> ModelServer | None:
    """What `--triton` names."""
    url = arguments.triton
    return None if url is None else ModelServer.model_validate({"triton": {"url": url}})
