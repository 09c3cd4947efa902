"""Brings bundles from where they are kept: http(s) servers, object stores, OCI registries."""

import asyncio
from pathlib import Path

from turnout_runtime.bundle.progress import Progress


def fetch(uri: str, target: Path, progress: Progress) -> None:
    """Bring what `uri` names to `target`: an archive as a file, or a bundle's files as a folder. Blocks.

    Raises `BundleNotFound` or `BundleInvalid`; what is at `target` then is incomplete and of no use.
    """
    asyncio.run(_fetch(uri, target, progress))


async def _fetch(uri: str, target: Path, progress: Progress) -> None:
    match uri.partition("://")[0]:
        case "http" | "https":
            from turnout_runtime.bundle.remote.http import download

            await download(uri, target, progress)
        case "oci":
            from turnout_runtime.bundle.remote.oci import pull

            await pull(uri, target, progress)
        case _:
            from turnout_runtime.bundle.remote.objects import copy

            await copy(uri, target, progress)
