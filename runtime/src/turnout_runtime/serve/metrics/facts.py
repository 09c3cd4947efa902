"""Facts: where they came from, how old they were, and how their sources do."""

from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from turnout_runtime.facts import FactRule
from turnout_runtime.facts.stats import FactStats
from turnout_runtime.telemetry.tally import counter, histogram

_STATES = ("closed", "half_open", "open")


def fact_metrics(rules: Mapping[str, FactRule]) -> Iterator[Metric]:
    """Render the families; the miss rate is fallback and missing of all sources."""
    if not rules:
        return
    stats = {name: rule.stats for name, rule in rules.items()}
    sources = [((name, source), count) for name, s in stats.items() for source, count in s.sources.items()]
    yield counter("turnout_facts", "Facts by where they came from", ("fact", "source"), sources)
    reasons = [((name, reason), count) for name, s in stats.items() for reason, count in s.reasons.items()]
    yield counter("turnout_fact_misses", "Facts that were not live, by reason", ("fact", "reason"), reasons)
    ages = [((name,), s.age) for name, s in stats.items()]
    yield histogram("turnout_fact_age_seconds", "Age of the values that were used", ("fact",), ages)
    waits = [((name,), s.latency) for name, s in stats.items()]
    yield histogram("turnout_fact_fetch_duration_seconds", "Time of the fetches that had to wait", ("fact",), waits)
    joined = [((name,), s.flights.joined) for name, s in stats.items() if s.flights is not None]
    yield counter("turnout_fact_joined", "Fetches that shared another request's", ("fact",), joined)
    yield from _breakers(stats)
    yield from _caches(stats)


def _breakers(stats: Mapping[str, FactStats]) -> Iterator[Metric]:
    breakers = {name: s.breaker for name, s in stats.items() if s.breaker is not None}
    if not breakers:
        return
    state = GaugeMetricFamily(
        "turnout_fact_breaker_state", "1 for the state that the breaker is in", labels=("fact", "state")
    )
    for name, breaker in breakers.items():
        for possible in _STATES:
            state.add_metric((name, possible), float(breaker.state == possible))
    yield state
    opened = [((name,), breaker.opened) for name, breaker in breakers.items()]
    yield counter("turnout_fact_breaker_opened", "How often the breaker opened", ("fact",), opened)
    refused = [((name,), breaker.refused) for name, breaker in breakers.items()]
    yield counter("turnout_fact_breaker_refused", "Fetches that were not tried", ("fact",), refused)


def _caches(stats: Mapping[str, FactStats]) -> Iterator[Metric]:
    caches = {name: s.cached for name, s in stats.items() if s.cached is not None}
    if not caches:
        return
    entries = GaugeMetricFamily("turnout_fact_cache_entries", "Values in the cache", labels=("fact",))
    for name, cached in caches.items():
        entries.add_metric((name,), len(cached.memory))
    yield entries
    evicted = [((name,), cached.memory.evicted) for name, cached in caches.items()]
    refreshes = [((name,), cached.refreshes) for name, cached in caches.items()]
    yield counter("turnout_fact_cache_refreshes", "Fetches ahead of a value's end", ("fact",), refreshes)
    yield counter("turnout_fact_cache_evicted", "Values that had to leave a full cache", ("fact",), evicted)
