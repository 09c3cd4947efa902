"""A bundle on this machine, as the pod would see it, whatever its digest is."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from turnout_runtime.bundle.archive import digest_archive
from turnout_runtime.bundle.manifest import FILE
from turnout_runtime.bundle.source import Bundle, obtain
from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.cli.bundle.described import existing
from turnout_runtime.cli.progress import bar
from turnout_runtime.config import Requires, Serving
from turnout_runtime.loading import LoadedWorkflow, load_workflow

SERVING = Serving.model_validate(
    {"concurrency": 16, "maxQueueDepth": 64, "maxQueueWaitSeconds": 0.1, "timeoutSeconds": 2.0, "drainSeconds": 0.0}
)
"""Limits for a laptop."""


def left_out(name: str) -> bool:
    """Whether a file or folder of this name is a tool's, and no part of a bundle that is built."""
    return name.startswith(".") or name == "__pycache__" or name.endswith((".pyc", "~"))


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
    with tempfile.TemporaryDirectory(prefix="turnout-") as scratch:
        copy = Path(scratch) / (folder.resolve().name or "bundle")
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
    with tempfile.TemporaryDirectory(prefix="turnout-") as cache:
        digest = digest_folder(path) if path.is_dir() else digest_archive(existing(path))
        yield obtain(path.resolve().as_uri(), digest, path.resolve(), Path(cache), bar)


def loaded(bundle: Bundle, requires: Requires | None = None) -> LoadedWorkflow:
    """Everything a pod does before it serves; raises a `StartError`."""
    return asyncio.run(_loaded(bundle, requires))


async def _loaded(bundle: Bundle, requires: Requires | None) -> LoadedWorkflow:
    workflow = await load_workflow(bundle, SERVING, requires=requires, progress=bar)
    await workflow.close()
    return workflow
