"""The log's records, field by field: what pods write, as DuckDB types that readers get. Pure.

`docs/prediction-log.md` shows the same table. A new field of the record is one more line here, with the version of the
schema that brought it; older records have NULL there.
"""

from typing import NamedTuple

STAGES = ("queue", "facts", "features", "model", "decide", "total")
FACT = "STRUCT(value JSON, source VARCHAR, latency_ms DOUBLE, age_ms DOUBLE, reason VARCHAR)"
CACHE = "STRUCT(status VARCHAR, age_ms DOUBLE)"
STAGES_MS = f"STRUCT({', '.join(f'{stage} DOUBLE' for stage in STAGES)})"


class Field(NamedTuple):
    """One field of the record; `since` is the schema version that brought it."""

    name: str
    type: str
    since: int
    meaning: str


FIELDS = (
    Field("schema_version", "INTEGER", 1, "version of this table, in each record"),
    Field("prediction_id", "VARCHAR", 1, "names this decision; labels come back with it"),
    Field("request_id", "VARCHAR", 1, "the caller's, the gateway's, or a new one; a shadow has that of its original"),
    Field("time", "TIMESTAMP WITH TIME ZONE", 1, "when the request came, UTC, microseconds"),
    Field("namespace", "VARCHAR", 1, "of the ModelDeployment"),
    Field("objective", "VARCHAR", 1, "what was asked for"),
    Field("model_deployment", "VARCHAR", 1, "whose pod answered"),
    Field("revision", "VARCHAR", 1, "which revision of it"),
    Field("bundle_digest", "VARCHAR", 1, "`sha256:…` of the bundle, code and models"),
    Field("policy_version", "VARCHAR", 1, "the RoutingPolicy's version; null without the gateway"),
    Field("arm", "VARCHAR", 1, "which arm of the policy; null without the gateway"),
    Field("cohort", "INTEGER", 1, "hash bucket of the entity, 0 to 9999; null without an entity"),
    Field("propensity", "DOUBLE", 1, "probability with which the arm was chosen, 0 to 1"),
    Field("shadow", "BOOLEAN", 2, "a copy whose answer nobody waited for"),
    Field("entity_id", "VARCHAR", 1, "whom the decision is about, as the caller or the gateway said"),
    Field("caller", "MAP(VARCHAR, VARCHAR)", 3, "claims that the gateway checked; null without any"),
    Field("headers", "MAP(VARCHAR, VARCHAR)", 3, "those of the request that `predictionLog.headers` names"),
    Field("trace_id", "VARCHAR", 3, "of the caller's W3C trace, or of ours; null without a trace"),
    Field("feature_refs", "JSON", 1, "what the caller said about facts; null for a request that could not be read"),
    Field("context", "JSON", 1, "the request's context as it came; null for a request that could not be read"),
    Field("facts", f"MAP(VARCHAR, {FACT})", 1, "facts by name: see below"),
    Field("features", "MAP(VARCHAR, DOUBLE)", 1, "what the model got, by name; NaN is null; null when not reached"),
    Field("passes", "INTEGER", 2, "how often features and model ran: 2 after `refine`, 0 for a remembered answer"),
    Field("batch_size", "INTEGER", 2, "rows of the model run that this one shared; null without a model"),
    Field("score", "DOUBLE", 1, "the decision's score, in the workflow's units; null without an answer"),
    Field("decision", "VARCHAR", 1, "what was decided; null without an answer"),
    Field("confidence", "DOUBLE", 1, "the workflow's own confidence in it"),
    Field("explanations_ref", "VARCHAR", 1, "a reference that the workflow gave"),
    Field("details", "JSON", 2, "the workflow's own part of the answer"),
    Field("fallback_used", "BOOLEAN", 1, "whether the answer rests on any fallback"),
    Field(
        "fallback",
        "VARCHAR",
        2,
        "`cached`, `stale_facts`, `facts`, `rules`, `default`, "
        "`arm` (answers for another arm, which is the reason), or the workflow's step",
    ),
    Field("fallback_reason", "VARCHAR", 2, "what made it necessary, in a word"),
    Field("cache", CACHE, 2, "`status` hit, miss or stale; `age_ms` of the remembered answer; null without a cache"),
    Field("exceeded", "VARCHAR[]", 2, "budgets that were exceeded: facts, inference, postprocess"),
    Field("stages_ms", STAGES_MS, 1, "milliseconds in each stage; null when it was not reached"),
    Field("status", "VARCHAR", 1, "ok, shed, timeout, error, invalid"),
    Field("error_type", "VARCHAR", 1, "what went wrong, in a word; null when it is ok"),
    Field("sample_rate", "DOUBLE", 3, "share of such records that is kept; 1 for all but ok without a fallback"),
)
TYPES = {field.name: field.type for field in FIELDS}

FEEDBACK_FIELDS = (
    Field("schema_version", "INTEGER", 1, "version of this table, in each record"),
    Field("feedback_id", "VARCHAR", 1, "names this row"),
    Field("received", "TIMESTAMP WITH TIME ZONE", 1, "when it came, UTC, microseconds"),
    Field("namespace", "VARCHAR", 1, "of the ModelDeployment that took it"),
    Field("objective", "VARCHAR", 1, "what the prediction was for"),
    Field("prediction_id", "VARCHAR", 1, "of the decision; null where entity and time say which"),
    Field("entity_id", "VARCHAR", 1, "whom the decision was about; null where prediction_id says it"),
    Field("label", "VARCHAR", 1, "what came of it: 0, 1 or a word"),
    Field("reward", "DOUBLE", 1, "what it was worth"),
    Field("time", "TIMESTAMP WITH TIME ZONE", 1, "when that became known, as the sender said"),
    Field("source", "VARCHAR", 1, "who says so, as the sender said"),
    Field("revision", "VARCHAR", 1, "whose pod took it"),
    Field("caller", "MAP(VARCHAR, VARCHAR)", 1, "the sender's claims, as the gateway said"),
)
FEEDBACK_TYPES = {field.name: field.type for field in FEEDBACK_FIELDS}
