"""Facts that a program gives by itself: a function, a fixed object, or a source's configuration."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from turnout_runtime.config import FactConfig
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts import FactRule, Found, NoSuchKey, Scope
from turnout_runtime.facts.connect import FactStores, connect
from turnout_runtime.facts.values import copier
from turnout_runtime.validation import describe

_PATIENCE = 3600.0  # seconds for a function; the request's own timeout is the limit that counts
_CONFIGURED = "timeoutSeconds"


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
    stores = connect({name: _config(name, fact) for name, fact in facts.items() if _is_configuration(fact)})
    given = {name: _rule(name, fact) for name, fact in facts.items() if not _is_configuration(fact)}
    return GivenFacts({**stores.rules, **given}, stores)


def _is_configuration(fact: object) -> bool:
    return isinstance(fact, FactConfig) or (isinstance(fact, Mapping) and _CONFIGURED in fact)


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

    def get(self, key: str, scope: Scope) -> Found | asyncio.Future[Found]:
        value = self._function(key)
        if inspect.isawaitable(value):
            return asyncio.ensure_future(self._later(key, value))
        return self._found(key, value)

    async def _later(self, key: str, value: Any) -> Found:
        return self._found(key, await value)

    def _found(self, key: str, value: object) -> Found:
        if value is None:
            raise NoSuchKey(key)
        if not isinstance(value, Mapping):
            raise TypeError(f"facts.{self._name} returned {type(value).__name__}, not an object or None")
        return Found(copier(dict(value))())  # the workflow may change what it gets
