"""Bundles in object stores (s3, gs, az): one object is the archive, or those under a prefix are the bundle's files."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnout_runtime.bundle.paths import Budget, check_no_clash, check_path
from turnout_runtime.bundle.progress import Progress, Tell
from turnout_runtime.bundle.remote.http import public, target_name
from turnout_runtime.errors import BundleInvalid, BundleNotFound
from turnout_runtime.objectstore import StoreMissing, explain, open_store

ARCHIVES = (".tar.gz", ".tgz", ".tar")
_CHUNK = 1024**2
_AT_ONCE = 8
_NOTHING = "no such bucket, or nothing in it under this name"


async def copy(uri: str, target: Path, progress: Progress) -> None:
    """Copy the archive, or all objects under the prefix, to `target`; raises `BundleNotFound` or `BundleInvalid`."""
    try:
        if uri.endswith(ARCHIVES):
            await _copy_archive(uri, target, progress)
        else:
            await _copy_folder(uri, target, progress)
    except (BundleInvalid, BundleNotFound):
        raise
    except Exception as error:  # obstore has a class of error for each cause, and FileNotFoundError for one of them
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of this machine's disk
        raise _explained(uri, error) from None


async def _copy_archive(uri: str, target: Path, progress: Progress) -> None:
    prefix, _, name = uri.rpartition("/")
    store = _store(prefix)
    result = await store.get_async(name)
    Budget().add(name, result.meta["size"])
    with progress(f"fetching {name}", result.meta["size"], "B") as tell:
        await _write(result, target, tell)


async def _copy_folder(uri: str, target: Path, progress: Progress) -> None:
    store, budget = _store(uri), Budget()
    sizes = await _listed(store, budget)
    if not sizes:
        raise BundleNotFound(f"{public(uri)}: {_NOTHING}; check spec.bundle.uri")
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(path: str) -> None:
        async with gate:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            await _get(store, path, target / path, tell)

    with progress(f"fetching {target_name(uri)}", budget.bytes, "B") as tell:
        try:
            async with asyncio.TaskGroup() as group:
                for path in sizes:
                    group.create_task(one(path))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None


async def _listed(store: Any, budget: Budget) -> Mapping[str, int]:
    """Sizes of the objects under the store's prefix, by safe relative path; markers of folders are left out."""
    sizes = {}
    async for page in store.list():
        for item in page:
            if not item["path"].endswith("/"):
                sizes[check_path(item["path"])] = item["size"]
                budget.add(item["path"], item["size"])
    check_no_clash(sizes)
    return sizes


async def _get(store: Any, path: str, target: Path, tell: Tell) -> None:
    await _write(await store.get_async(path), target, tell)


async def _write(result: Any, target: Path, tell: Tell) -> None:
    with target.open("wb") as out:
        async for chunk in result.stream(min_chunk_size=_CHUNK):
            out.write(chunk)
            tell(len(chunk))


def _store(uri: str) -> Any:
    try:
        return open_store(uri)
    except StoreMissing as error:
        raise BundleNotFound(
            f"{public(uri)}: this image cannot read object stores: add turnout-runtime[store]"
        ) from error


def _explained(uri: str, error: Exception) -> BundleNotFound:
    told = explain(uri, error, " from spec.bundle.secretRef, and check what they may read", "; check spec.bundle.uri")
    return BundleNotFound(f"{public(uri)}: {told.text}")
