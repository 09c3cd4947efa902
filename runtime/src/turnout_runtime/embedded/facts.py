"""Facts that a program gives by itself: a function, a fixed object, or a source's configuration."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from turnout_runtime.config import FactConfig
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts import FactRule, Found, NoSuchKey, Scope
from turnout_runtime.facts.connect import FactStores, connect
from turnout_runtime.facts.values import copier
from turnout_runtime.telemetry.throttle import Throttle
from turnout_runtime.validation import describe

_log = logging.getLogger("turnout.facts")
_PATIENCE = 3600.0  # seconds for a function; the request's own timeout is the limit that counts
_CONFIGURED = "timeoutSeconds"
_FIELDS = frozenset(field.alias or name for name, field in FactConfig.model_fields.items())


@dataclass(frozen=True, slots=True)
class GivenFacts:
    """The rules for all facts, and the stores of those that are configured."""

    rules: Mapping[str, FactRule]
    stores: FactStores

    async def warm(self) -> None:
        """Connect to the stores."""
        await self.stores.warm()

    async def close(self) -> None:
        """Disconnect."""
        await self.stores.close()


def give(facts: Mapping[str, Any]) -> GivenFacts:
    """Rules for what a program gives; raises `ConfigInvalid` naming the fact that is none of it."""
    if not isinstance(facts, Mapping):
        raise ConfigInvalid(f"facts: {type(facts).__name__} is no mapping: give sources by the names of facts")
    stores = connect({name: _config(name, fact) for name, fact in facts.items() if _is_configuration(fact)})
    given = {name: _rule(name, fact) for name, fact in facts.items() if not _is_configuration(fact)}
    return GivenFacts({**stores.rules, **given}, stores)


def _is_configuration(fact: object) -> bool:
    """Whether it says where a fact comes from, and not what it is: it has a configuration's keys and no other."""
    if not isinstance(fact, Mapping):
        return isinstance(fact, FactConfig)
    return _CONFIGURED in fact or (fact.keys() <= _FIELDS and any(isinstance(fact[key], Mapping) for key in fact))


def _config(name: str, fact: Any) -> FactConfig:
    try:
        return fact if isinstance(fact, FactConfig) else FactConfig.model_validate(fact)
    except ValidationError as error:
        raise ConfigInvalid(f"facts.{name}: {describe(error)}") from error


def _rule(name: str, fact: object) -> FactRule:
    if callable(fact):
        return FactRule(_Function(name, fact), _PATIENCE)
    if isinstance(fact, Mapping):
        return FactRule(_Constant(dict(fact)), _PATIENCE, keyless=True)
    raise ConfigInvalid(
        f"facts.{name}: {type(fact).__name__} is no fact: give a function of the key, an object, or a configuration"
    )


class _Constant:
    """The same value under every key."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._copy = copier(value)

    def get(self, key: str, scope: Scope) -> Found:
        return Found(self._copy())


class _Function:
    """What a function of the key returns; None is no such key."""

    def __init__(self, name: str, function: Callable[[str], Any]) -> None:
        self._name, self._function = name, function
        self._throttle = Throttle()

    def get(self, key: str, scope: Scope) -> Found | asyncio.Future[Found]:
        with self._told():
            value = self._function(key)
        if inspect.isawaitable(value):
            return asyncio.ensure_future(self._later(key, value))
        return self._found(key, value)

    async def _later(self, key: str, value: Any) -> Found:
        with self._told():
            found = await value
        return self._found(key, found)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """To the workflow a source that fails is a fact that is missing; to whoever wrote the function it is a bug."""
        try:
            yield
        except Exception as error:
            self._warn(f"facts.{self._name} failed: {type(error).__name__}: {error}", error)
            raise

    def _warn(self, text: str, error: Exception | None = None) -> None:
        if self._throttle.allows(type(error).__name__):
            _log.warning("%s", text, exc_info=error)

    def _found(self, key: str, value: object) -> Found:
        if value is None:
            raise NoSuchKey(key)
        if not isinstance(value, Mapping):
            what = f"facts.{self._name} returned {type(value).__name__}, not an object or None"
            self._warn(what)
            raise TypeError(what)
        return Found(copier(dict(value))())  # the workflow may change what it gets
