"""`/metrics?name[]=…`: the samples that are asked for, as prometheus_client itself selects them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from turnout_runtime.telemetry.selection import select


def test_it_selects_what_prometheus_client_does():
    registry = CollectorRegistry()
    dropped = Counter("a_dropped", "Lost", ["reason"], registry=registry)
    dropped.labels("full").inc()
    dropped.labels("b c").inc(2)
    Gauge("a_dropped_now", "Another", registry=registry).set(1)
    Histogram("a_seconds", "Time", registry=registry).observe(1)
    text = generate_latest(registry)
    for names in (["a_dropped_total"], ["a_dropped_now"], ["a_dropped_total", "a_dropped_now"], ["missing"]):
        wanted = generate_latest(registry.restricted_registry(names))  # in any order
        assert sorted(select(text, names).splitlines()) == sorted(wanted.splitlines())
