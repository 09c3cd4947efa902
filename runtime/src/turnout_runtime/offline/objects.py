"""Prefixes of an object store, as `Folder`."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from turnout_runtime.errors import BatchInvalid
from turnout_runtime.objectstore import Cause, StoreMissing, explain, open_store

_COPY = 8 * 1024**2


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
    with _told(uri):
        try:
            return open_store(uri)
        except StoreMissing as error:
            raise BatchInvalid(f"{uri}: reading object stores needs turnout-runtime[store]") from error


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """Every failure as `FileNotFoundError` or `BatchInvalid`, with the URL and a text of our own."""
    try:
        yield
    except BatchInvalid:
        raise
    except Exception as error:  # obstore has a class for each cause
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the file on this side
        told = explain(uri, error)
        if told.cause is Cause.MISSING:
            raise FileNotFoundError(f"{uri}: no such object or bucket") from None
        raise BatchInvalid(f"{uri}: {told.text}") from None
