"""What lies at a sink's root, here or in an object store, and taking it away."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from turnout_runtime.config.ship import SinkConfig
from turnout_runtime.errors import LogInvalid
from turnout_runtime.objectstore import Cause, StoreMissing, explain, is_remote, open_store

_AT_ONCE = 500


class Stored(NamedTuple):
    """A file below the root, and its size in bytes."""

    name: str
    size: int


class Root(Protocol):
    """Raises `OSError`, or `LogInvalid` with the store's cause."""

    async def files(self, prefix: str) -> list[Stored]:
        """All files whose name begins with the prefix, which is empty or ends in /."""

    async def remove(self, names: Sequence[str]) -> None:
        """Delete these; one that has gone already is no error."""


class DirectoryRoot:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def files(self, prefix: str) -> list[Stored]:
        """See `Root`."""
        return await asyncio.to_thread(self._files, prefix)

    def _files(self, prefix: str) -> list[Stored]:
        found = []
        for folder, _, names in os.walk(self._path / prefix):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):  # somebody else has deleted it
                    found.append(Stored(path.relative_to(self._path).as_posix(), path.stat().st_size))
        return found

    async def remove(self, names: Sequence[str]) -> None:
        """See `Root`; folders go with their last file."""
        await asyncio.to_thread(self._remove, names)

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            path = self._path / name
            path.unlink(missing_ok=True)
            for folder in list(path.parents)[: len(Path(name).parents) - 1]:
                try:
                    folder.rmdir()
                except OSError:  # not empty, or gone
                    break


class ObjectRoot:
    """A prefix of an object store."""

    def __init__(self, uri: str, store: Any) -> None:
        self._uri, self._store = uri, store

    async def files(self, prefix: str) -> list[Stored]:
        """See `Root`."""
        found = []
        try:
            async for page in self._store.list(prefix or None):
                found += [Stored(item["path"], item["size"]) for item in page]
        except Exception as error:  # obstore has a class for each cause
            raise self._told(error) from None
        return found

    async def remove(self, names: Sequence[str]) -> None:
        """See `Root`."""
        for start in range(0, len(names), _AT_ONCE):
            try:
                await self._store.delete_async(list(names[start : start + _AT_ONCE]))
            except Exception as error:  # obstore has a class for each cause
                if explain(self._uri, error).cause is not Cause.MISSING:
                    raise self._told(error) from None

    def _told(self, error: Exception) -> LogInvalid:
        return LogInvalid(f"{self._uri}: {explain(self._uri, error).text}")


def root_of(place: str) -> Root:
    """The root that a path or URL names; raises `LogInvalid`."""
    if is_remote(place):
        try:
            return ObjectRoot(place, open_store(place))
        except StoreMissing as error:
            raise LogInvalid(f"{place}: object stores need turnout-runtime[store]") from error
        except Exception as error:  # obstore has a class for each cause
            raise LogInvalid(f"{place}: {explain(place, error).text}") from None
    if "://" in place or not Path(place).is_dir():
        raise LogInvalid(f"{place}: there is no such folder: give the root of a sink, a path or s3://bucket/prefix")
    return DirectoryRoot(Path(place))


def root_of_sink(config: SinkConfig, environment: Mapping[str, str]) -> Root | None:
    """The root of a sink that keeps files; None for another."""
    if config.directory is not None:
        return DirectoryRoot(config.directory.path)
    if config.object_store is None:
        return None
    from turnout_runtime.ship.objects import open_sink  # an extra

    return ObjectRoot(config.object_store.uri, open_sink(config.object_store, config.environment(environment)))
