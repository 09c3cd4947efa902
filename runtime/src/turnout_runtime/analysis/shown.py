"""One decision, everything, for a reader. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from turnout_runtime.analysis.find import Record
from turnout_runtime.analysis.schema import STAGES, TYPES
from turnout_runtime.analysis.text import bar, clipped, columns, span

_BAR = 30
_VALUE = 100


def shown(record: Record, others: list[Record], feedback: list[Record]) -> Iterator[str]:
    """Lines about a record; `others` are those of the same request, such as its shadow's."""
    yield from columns(list(_head(record)), widest=_VALUE + 40)
    yield from _section("facts", _facts(record.get("facts")))
    yield from _section("features", _features(record.get("features")), right=(1,))
    yield from _section("stages", _stages(record.get("stages_ms")), right=(1,))
    yield from _section("what came of it", [_outcome(row) for row in feedback])
    yield from _section("same request", [_other(other) for other in others])
    yield from _section("also", [(name, _json(value)) for name, value in record.items() if name not in TYPES])


def _head(record: Record) -> Iterator[tuple[str, str]]:
    yield "prediction", str(record.get("prediction_id"))
    yield "status", f"{record.get('status')}{', a shadow' if record.get('shadow') else ''}"
    yield "time", str(record.get("time"))
    yield "asked by", _pairs(record, entity_id="entity", request_id="request", cohort="cohort", trace_id="trace")
    yield "asked for", f"{record.get('namespace')}/{record.get('objective')}"
    yield "arm", _pairs(record, arm="", propensity="propensity", policy_version="policy")
    yield "answered by", _pairs(record, model_deployment="", revision="revision", bundle_digest="bundle")
    if record.get("error_type") is not None:
        yield "error", str(record["error_type"])
    if record.get("decision") is not None:
        words = {"decision": "", "score": "score", "confidence": "confidence", "explanations_ref": "explained"}
        yield "decision", _pairs(record, **words)
    if record.get("fallback_used"):
        yield "fallback", _pairs(record, fallback="", fallback_reason="because of")
    if cache := record.get("cache"):
        age = cache.get("age_ms")
        yield "cache", f"{cache.get('status')}{'' if age is None else f', {span(age)} old'}"
    if record.get("exceeded"):
        yield "exceeded", ", ".join(record["exceeded"])
    yield "ran", _pairs(record, passes="passes", batch_size="rows in the model's run")
    for field in ("details", "context", "feature_refs", "caller", "headers"):
        if record.get(field):
            yield field, _json(record[field], 1000)


def _pairs(record: Record, **words: str) -> str:
    """`word value` of the fields that have one."""
    there = [(word, record.get(field)) for field, word in words.items()]
    return "  ".join(f"{word} {value}".strip() for word, value in there if value is not None) or "-"


def _section(title: str, rows: list[tuple[str, ...]], right: tuple[int, ...] = ()) -> Iterator[str]:
    if rows:
        yield ""
        yield title
        yield from (f"  {line}" for line in columns(rows, right, _VALUE))


def _facts(facts: Mapping[str, Any] | None) -> list[tuple[str, ...]]:
    return [_fact(name, fact) for name, fact in (facts or {}).items()]


def _fact(name: str, fact: Mapping[str, Any]) -> tuple[str, ...]:
    took, age = _span(fact.get("latency_ms")), _age(fact.get("age_ms"))
    return name, str(fact.get("source")), took, age, str(fact.get("reason") or ""), _json(fact.get("value"))


def _age(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{span(milliseconds)} old"


def _span(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"took {span(milliseconds)}"


def _features(features: Mapping[str, Any] | None) -> list[tuple[str, ...]]:
    return [(name, _number(value)) for name, value in (features or {}).items()]


def _number(value: Any) -> str:
    if value is None:
        return "missing"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _stages(stages: Mapping[str, float | None] | None) -> list[tuple[str, ...]]:
    """Those that were reached, as parts of the whole."""
    total = (stages or {}).get("total") or 0.0
    reached = [(name, value) for name in STAGES if (value := (stages or {}).get(name)) is not None]
    return [(name, f"{value:.3f} ms", bar(value / total, _BAR) if total else "") for name, value in reached]


def _other(record: Record) -> tuple[str, ...]:
    kind = "shadow" if record.get("shadow") else "answer"
    what = _pairs(record, arm="", decision="", score="score", status="")
    return str(record.get("prediction_id")), kind, what


def _outcome(row: Record) -> tuple[str, ...]:
    words = _pairs(row, label="label", reward="reward", source="says")
    return str(row.get("time") or row.get("received")), words


def _json(value: Any, widest: int = _VALUE) -> str:
    return clipped(orjson.dumps(value).decode(), widest)
