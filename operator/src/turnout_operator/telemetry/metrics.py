"""The operator's own metrics (Prometheus)."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter("turnout_operator_reconciles_total", "Reconciles by kind and result", ["kind", "result"])
RECONCILE_SECONDS = Histogram(
    "turnout_operator_reconcile_seconds",
    "Duration of one reconcile",
    ["kind"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
WRITES = Counter("turnout_operator_writes_total", "Writes to the API server by verb and kind", ["verb", "kind"])
QUEUE_DEPTH = Gauge("turnout_operator_queue_depth", "Keys waiting to be reconciled")
SCRAPES = Counter("turnout_operator_scrapes_total", "Pods asked for metrics, by result", ["result"])
LEADER = Gauge("turnout_operator_leader", "1 while this replica leads")
