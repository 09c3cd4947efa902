"""The rules of facts offline: snapshots, what callers send, and nothing live."""

import logging
from collections.abc import Mapping

from turnout_runtime.config import FactConfig
from turnout_runtime.errors import BatchInvalid
from turnout_runtime.facts import FactRule, Found, NoSuchKey, Scope
from turnout_runtime.facts.caller import CallerFacts
from turnout_runtime.offline.job import Job
from turnout_runtime.offline.snapshots import Snapshot, SnapshotSource

_log = logging.getLogger("turnout.batch")
_TIMEOUT = 60.0  # seconds; a snapshot answers at once


class OfflineRules(dict[str, FactRule]):
    """Rules by name; remembers in `undeclared` for what else a workflow asked."""

    def __init__(self, rules: Mapping[str, FactRule]) -> None:
        super().__init__(rules)
        self.undeclared: set[str] = set()

    def __contains__(self, name: object) -> bool:
        known = super().__contains__(name)
        if not known:
            self.undeclared.add(str(name))
        return known

    def __bool__(self) -> bool:
        return True  # without any rule, too, it must hear of what is asked for

    def check(self) -> None:
        """Raise `BatchInvalid` when a workflow asked for what there is not: all rows would end like that."""
        if self.undeclared:
            name = min(self.undeclared)
            raise BatchInvalid(
                f"the workflow fetches the fact {name!r}, and there is no snapshot of it: add --facts {name}=TABLE"
                f" (batch.facts.{name})"
            )


def rules(job: Job, snapshots: Mapping[str, Snapshot]) -> OfflineRules:
    """A rule for each snapshot, with its fact's declared fallback, and for each fact that comes with the request."""
    found = {
        name: FactRule(SnapshotSource(snapshot), _TIMEOUT, _fallback(job.facts.get(name)))
        for name, snapshot in snapshots.items()
    }
    for name, fact in job.facts.items():
        if name not in found and fact.caller is None:
            found[name] = FactRule(_NoPast(), _TIMEOUT, fact.fallback)
    for name, field in job.caller_facts.items():
        source = CallerFacts(field, job.facts[name].timestamp_field)
        found[name] = FactRule(source, _TIMEOUT, job.facts[name].fallback, keyless=True)
    return OfflineRules(found)


def check_sources(job: Job) -> None:
    """A declared fact without a snapshot has its fallback, which is worth a warning; without one raise `BatchInvalid`.

    Its live source is never asked: what is there now is not what was there then.
    """
    for name, fact in job.facts.items():
        if name in job.batch.facts or fact.caller is not None:
            continue
        remedy = f"add batch.facts.{name} (--facts {name}=TABLE)"
        if fact.fallback is None:
            raise BatchInvalid(f"facts.{name}: a live source knows no past, and there is no fallback: {remedy}")
        _log.warning("every row gets this fact's fallback", extra={"fact": name, "remedy": remedy})


class _NoPast:
    """A fact that nothing is known of."""

    def get(self, key: str, scope: Scope) -> Found:
        raise NoSuchKey(key)


def _fallback(fact: FactConfig | None) -> dict[str, object] | None:
    return None if fact is None else fact.fallback
