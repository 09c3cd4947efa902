"""Bundles in object stores (s3, gs, az): one object is the archive, or those under a prefix are the bundle's files.

Credentials, region and endpoint come from the environment under the stores' own names: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL; GOOGLE_SERVICE_ACCOUNT; AZURE_STORAGE_ACCOUNT_NAME, ….
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from turnout_runtime.bundle.paths import Budget, check_no_clash, check_path
from turnout_runtime.bundle.progress import Progress, Tell
from turnout_runtime.bundle.remote.http import public, target_name
from turnout_runtime.errors import BundleInvalid, BundleNotFound

ARCHIVES = (".tar.gz", ".tgz", ".tar")
_CHUNK = 1024**2
_AT_ONCE = 8
_PATIENCE = timedelta(seconds=20)
_STATUS = re.compile(r"status code: (\d{3})(.*)", re.DOTALL)
_REFUSED = re.compile(r"<Code>\w*(?:AccessKey|AccessDenied|Signature|Token|UserNotFound)\w*</Code>")
_NO_CREDENTIALS = re.compile(r"169\.254\.\d+\.\d+|metadata\.google|[Mm]issing \w*(?:credential|account)", re.IGNORECASE)
_NOTHING = "no such bucket, or nothing in it under this name"
VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SKIP_SIGNATURE=true for a public bucket)",
    "gs": "GOOGLE_SERVICE_ACCOUNT or GOOGLE_SERVICE_ACCOUNT_KEY",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


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
        import obstore.store
    except ImportError as error:
        raise BundleNotFound(
            f"{public(uri)}: this image cannot read object stores: add turnout-runtime[store]"
        ) from error
    options: dict[str, Any] = {
        "allow_http": True,  # whoever configures an endpoint of their own says http or https in it
        "connect_timeout": timedelta(seconds=5),
        "read_timeout": _PATIENCE,
        "timeout": timedelta(hours=6),  # of a whole object; it is the silence that is bounded
    }
    retry: Any = {"max_retries": 3, "retry_timeout": _PATIENCE}
    return obstore.store.from_url(uri, client_options=options, retry_config=retry)


def _explained(uri: str, error: Exception) -> BundleNotFound:
    """A text of our own: the library's holds signed URLs, and servers answer with the key that they refuse."""
    text, scheme = str(error), uri.partition("://")[0]
    answered = _STATUS.search(text)
    status, body = (answered[1], answered[2]) if answered else ("", "")
    if status in ("401", "403") or _REFUSED.search(body) or _NO_CREDENTIALS.search(text):
        told = (
            f"the store refuses the credentials, or there are none: set {VARIABLES[scheme]} from"
            " spec.bundle.secretRef, and check what they may read"
        )
    elif status == "404" or isinstance(error, FileNotFoundError):
        told = f"{_NOTHING}; check spec.bundle.uri"
    elif status:
        told = f"the store answered {status}; check spec.bundle.uri"
    else:
        endpoint = ", and AWS_ENDPOINT_URL for a store that is not Amazon's" if scheme == "s3" else ""
        told = f"cannot reach the store, or the transfer broke off; check spec.bundle.uri{endpoint}"
    return BundleNotFound(f"{public(uri)}: {told}")
