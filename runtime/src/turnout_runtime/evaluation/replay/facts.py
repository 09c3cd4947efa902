"""The facts of logged requests as sources: every request finds what it found then, and nothing else."""

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from turnout_runtime.facts import FactRule, Found, NoSuchKey, Scope
from turnout_runtime.facts.source import BreakerOpen, SourceFailed
from turnout_runtime.facts.stats import FactStats
from turnout_runtime.facts.values import copied

_TIMEOUT = 3600.0  # seconds; these sources answer at once
_STATS = FactStats()
_FAILURES = {"not_found": NoSuchKey, "no_key": NoSuchKey, "breaker_open": BreakerOpen, "timeout": TimeoutError}
_OWN_VALUE = frozenset({"live", "cache", "caller"})
_MISSING: dict[str, Any] = {"value": None, "source": "missing", "age_ms": None, "reason": "not_found"}


class RequestFacts(dict[str, FactRule]):
    """The rules of one logged request's facts; what the workflow asks beyond them is `unknown`, and missing."""

    def __init__(self, logged: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__((name, _rule(fact)) for name, fact in logged.items())
        self.unknown: set[str] = set()

    def __missing__(self, name: str) -> FactRule:
        self.unknown.add(name)
        return _rule(_MISSING)


class ReplayedFacts(Mapping[str, FactRule]):
    """The rules for a dataplane; which request asks is known from the task that it runs in."""

    def __init__(self) -> None:
        self.current: ContextVar[RequestFacts] = ContextVar("facts of the logged request")

    def __getitem__(self, name: str) -> FactRule:
        return self.current.get()[name]

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self.current.get())

    def __len__(self) -> int:
        return len(self.current.get())


class _Settled:
    """One fact as it was settled then. See `FactSource`."""

    def __init__(self, fact: Mapping[str, Any]) -> None:
        self._fact = fact

    def get(self, key: str, scope: Scope) -> Found:
        fact = self._fact
        if fact["source"] in _OWN_VALUE:
            return self.found(key)
        raise _FAILURES.get(fact.get("reason", ""), SourceFailed)(key)

    def found(self, key: str) -> Found:
        """The value with its origin and age: half a microsecond more, for ages are cut off at whole ones."""
        fact = self._fact
        age = fact.get("age_ms")
        return Found(copied(fact["value"]), None, fact["source"], None if age is None else (age + 0.0005) / 1e3)


def _rule(fact: Mapping[str, Any]) -> FactRule:
    """A rule that settles the fact in the same way: with its source, its value, and the reason why it is not live.

    The key is not in the log. So a fact that had none then has none now, and every other one comes under any key.
    """
    settled, source = _Settled(fact), fact["source"]
    return FactRule(
        settled,
        _TIMEOUT,
        fact["value"] if source == "fallback" else None,
        settled.found if source == "stale" else None,
        keyless=source in ("caller", "missing", "fallback") and fact.get("reason") != "no_key",
        bounded=True,
        stats=_STATS,
    )
