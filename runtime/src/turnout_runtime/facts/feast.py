"""Facts in the online store of a Feast feature store. Feast is an extra of its own: it holds other packages back.

Its reading blocks, so it happens in threads, one round trip for what is wanted in one turn of the event loop.
"""

import asyncio
import logging
import os
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import yaml

from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts.gather import Gather
from turnout_runtime.facts.source import Found, Scope, SourceFailed
from turnout_runtime.facts.threads import in_thread
from turnout_runtime.text import encodable

T = TypeVar("T")
_log = logging.getLogger("turnout.facts")
_LANES = 4
_STUCK = 1.0  # seconds after which a thread is given up
_MOST_STUCK = 64  # threads that hang at once, before no more are started
_OPENING = 60.0  # seconds that the start may wait for the import and the registry
_BITS = {"INT32": 31, "INT64": 63}
_INTEGER = re.compile("-?[0-9]{1,19}")
_TIMESTAMP = "__ts"  # what Feast appends to a feature's name for its time


class FeastStore:
    """One feature store, shared by the facts that live in it."""

    def __init__(self, field: str, config: str, longest_timeout: float) -> None:
        """`config` is the text of a feature_store.yaml, `field` names where it is declared. Times in seconds."""
        self._field, self._config = field, config
        self._patience = max(_STUCK, longest_timeout)
        self._opening = threading.Lock()
        self._store: Any = None
        self._stuck = 0

    async def connect(self) -> None:
        """Open the store ahead of the first request; see `first`."""
        await self.first(lambda store: None)

    async def first(self, function: Callable[[Any], object]) -> None:
        """Run `function(feature store)` at the start, when everything takes longer.

        Raises `ConfigInvalid` for what is declared wrong; a store that is down is only told.
        """
        try:
            async with asyncio.timeout(_OPENING):
                await in_thread(lambda: function(self.open()))
        except ConfigInvalid:
            raise
        except Exception as error:  # its text may quote a connection string
            if _is_missing(error):
                raise ConfigInvalid(f"{self._field}: the feature store does not have that: {error}") from None
            _log.warning("feast does not answer", extra={"error": type(error).__name__})

    async def close(self) -> None:
        """Drop all connections."""
        if self._store is not None:
            await self._store.close()

    async def read(self, function: Callable[[Any], T]) -> T:
        """Run `function(feature store)` in a thread; raises `SourceFailed` when it fails or hangs."""
        if self._stuck >= _MOST_STUCK:
            raise SourceFailed(f"{self._stuck} reads hang")
        future = in_thread(lambda: function(self.open()))
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(future)
        except TimeoutError:
            self._stuck += 1
            future.add_done_callback(self._returned)
            raise SourceFailed("a read hangs") from None
        except Exception as error:  # its text may quote a connection string
            raise SourceFailed(type(error).__name__) from None

    def open(self) -> Any:
        """The feature store, opened once; raises `ConfigInvalid` for a wrong or missing declaration."""
        with self._opening:
            if self._store is None:
                self._store = self._opened()
            return self._store

    def _opened(self) -> Any:
        try:
            from feast import FeatureStore, RepoConfig
        except ImportError as error:
            raise ConfigInvalid(f"{self._field}: Feast is not installed: build the image with its extra") from error
        try:
            config = RepoConfig(**yaml.safe_load(os.path.expandvars(self._config)))
        except (TypeError, ValueError, yaml.YAMLError) as error:
            raise ConfigInvalid(f"{self._field}: no feature_store.yaml: {type(error).__name__}") from error
        return FeatureStore(config=config)

    def _returned(self, future: "asyncio.Future[Any]") -> None:
        self._stuck -= 1
        if not future.cancelled():
            future.exception()  # nobody else asks for it


class FeastFacts:
    """Some features of one entity, by its join key."""

    def __init__(self, store: FeastStore, features: Sequence[str], join_key: str) -> None:
        """`features` as Feast names them: `view:feature`."""
        self._store, self._features, self._join_key = store, list(features), join_key
        short = [feature.partition(":")[2] for feature in features]
        self._full_names = len(set(short)) < len(short)  # names that are the same in two views need the view's
        self._gather = Gather(self._ask, _LANES)

    def get(self, key: str, scope: Scope) -> asyncio.Future[Found]:
        """See `FactSource.get`."""
        return self._gather.get(key, _same)

    async def connect(self) -> None:
        """Read once, under no key in particular: the first read takes longest, and finds wrong names."""
        await self._store.first(lambda store: self._read(store, ["0"]))

    async def close(self) -> None:
        """End what runs."""
        await self._gather.close()

    async def _ask(self, keys: Sequence[str]) -> Sequence[Found | None]:
        return await self._store.read(lambda store: self._read(store, keys))

    def _read(self, store: Any, keys: Sequence[str]) -> list[Found | None]:
        bits = self._bits(store)
        entities = [_entity(bits, key) for key in keys]
        rows = [{self._join_key: entity} for entity in entities if entity is not None]
        if not rows:
            return [None] * len(keys)
        answer = store.get_online_features(self._features, rows, full_feature_names=self._full_names)
        columns = answer.to_dict(include_event_timestamps=True)
        names = [name for name in columns if name != self._join_key and name + _TIMESTAMP in columns]
        found = iter([_found(columns, names, row) for row in range(len(rows))])
        return [None if entity is None else next(found) for entity in entities]

    def _bits(self, store: Any) -> int | None:
        """How wide keys are that are numbers: Feast takes no text for them."""
        for entity in store.list_entities(allow_cache=True):
            if entity.join_key == self._join_key:
                return _BITS.get(entity.value_type.name)
        return None


def _is_missing(error: Exception) -> bool:
    from feast.errors import FeastObjectNotFoundException

    return isinstance(error, FeastObjectNotFoundException | KeyError)  # KeyError: a feature that its view lacks


def _entity(bits: int | None, key: str) -> int | str | None:
    """The key as Feast takes it, None where there can be none such: one odd key would cost others their answers."""
    if bits is None:
        return key if encodable(key) else None
    number = int(key) if _INTEGER.fullmatch(key) else None
    return number if number is not None and -(2**bits) <= number < 2**bits else None


def _found(columns: dict[str, list[Any]], names: Sequence[str], row: int) -> Found | None:
    """A row's features; as old as the oldest of them. None when there is no feature at all."""
    times = [time for name in names if (time := columns[name + _TIMESTAMP][row])]
    value = {name: columns[name][row] for name in names}
    if all(part is None for part in value.values()):
        return None
    return Found(value, min(times) * 1_000_000_000 if times else None)


def _same(found: Found) -> Found:
    return found
