"""Prefixes of an object store, reached through obstore.

Credentials and endpoints come from the environment under the stores' own names (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL,
…). The library's own texts hold signed URLs, so none of them is shown.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from turnout_runtime.errors import BatchInvalid

_COPY = 8 * 1024**2
_PATIENCE = timedelta(seconds=20)
_STATUS = re.compile(r"status\D{0,12}([45]\d\d)\b", re.I)  # other numbers are ports and milliseconds
_REFUSED = re.compile(r"AccessKey|Signature|AccessDenied|credential|Unauthenticated|Permission", re.I)
_MISSING = re.compile(r"NoSuchBucket|NoSuchKey")


class ObjectFolder:
    """See `Folder`."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._store = _open(uri)

    def names(self) -> list[str]:
        """See `Folder`."""
        with _told(self._uri):
            return sorted(item["path"] for page in self._store.list() for item in page)

    def stamp(self, name: str) -> str | None:
        """See `Folder`; size and entity tag."""
        try:
            with _told(f"{self._uri}/{name}"):
                about = self._store.head(name)
        except FileNotFoundError:
            return None
        return f"{about['size']}-{about['e_tag']}"

    def fetch(self, name: str, scratch: Path) -> Path:
        """See `Folder`."""
        target = scratch / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with _told(f"{self._uri}/{name}"), target.open("wb") as out:
            for chunk in self._store.get(name).stream(min_chunk_size=_COPY):
                out.write(chunk)
        return target

    def put(self, source: Path, name: str) -> None:
        """See `Folder`; a large file goes in pieces that the store joins at last."""
        with _told(f"{self._uri}/{name}"):
            self._store.put(name, source)

    def remove(self, name: str) -> None:
        """See `Folder`."""
        with suppress(FileNotFoundError), _told(f"{self._uri}/{name}"):
            self._store.delete(name)

    def below(self, path: str) -> "ObjectFolder":
        """See `Folder`."""
        return ObjectFolder(f"{self._uri}/{path.strip('/')}")


def _open(uri: str) -> Any:
    try:
        from obstore.store import from_url
    except ImportError as error:
        raise BatchInvalid(f"{uri}: reading object stores needs turnout-runtime[store]") from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    options: Any = {"connect_timeout": timedelta(seconds=5), "read_timeout": _PATIENCE, "timeout": timedelta(hours=6)}
    if uri.startswith("s3://") and endpoint.startswith("http://"):
        options["allow_http"] = True
    with _told(uri):
        return from_url(uri, client_options=options, retry_config={"max_retries": 3, "retry_timeout": _PATIENCE})


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """Every failure as `FileNotFoundError` or `BatchInvalid`, with the URL and a text of our own."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"{uri}: no such object or bucket") from None
    except OSError:  # of the file on this side
        raise
    except Exception as error:  # obstore has a class for each cause
        text = f"{type(error).__name__} {error}"
        if type(error).__name__ == "NotFoundError" or _MISSING.search(text):
            raise FileNotFoundError(f"{uri}: no such object or bucket") from None
        raise BatchInvalid(f"{uri}: {_cause(uri.partition('://')[0], text)}") from None


def _cause(scheme: str, text: str) -> str:
    from turnout_runtime.bundle.remote.objects import VARIABLES

    status = _STATUS.search(text)
    if _REFUSED.search(text) or (status and status[1] in ("401", "403")):
        return f"the store refuses the credentials, or there are none: set {VARIABLES[scheme]}"
    if status:
        return f"the store answered {status[1]}"
    endpoint = ": check AWS_ENDPOINT_URL for a store that is not Amazon's" if scheme == "s3" else ""
    return f"cannot reach the store, or the transfer broke off{endpoint}"
