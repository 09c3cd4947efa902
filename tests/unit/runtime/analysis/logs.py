"""Logs as pods write them, with overrides."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from turnout_runtime.facts import Fact
from turnout_runtime.log.record import Encoder, Identity
from turnout_runtime.log.segments import frame
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Decision, Request

NAME = "predictions-20130701T000000000Z-1-1.jsonl"
IDENTITY = Identity("demo", "delay", "delay-1", "sha256:" + "a" * 64)


def written() -> dict[str, Any]:
    """A record as the runtime itself writes it, everything filled in."""
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    route = Route("late", "main", "v3", 0.9, "N1", 17, "r-1", traceparent=trace, caller={"sub": "ops"})
    prediction = Prediction(route, "p-1", 1_372_636_800_123_456_000, 0.0)
    prediction.accept(Request("r-1", "N1", {"plane": {"seats": 100}}, {"carrier": "UA"}, None))
    prediction.facts = {"weather": Fact({"wind": 4.5}, "stale", 1.25, 3500.0, "timeout")}
    prediction.features = {"distance": 1400.0, "wind": float("nan")}
    prediction.passes, prediction.batch_size = 1, 3
    prediction.decision = Decision("late", 0.75, 0.5, "why-1", details={"minutes": 12})
    prediction.fallback, prediction.fallback_reason = "stale_facts", "timeout"
    prediction.cache, prediction.cache_age, prediction.exceeded = "stale", 2.0, ("facts",)
    prediction.stages = {"queue": 0.0001, "facts": 0.004, "features": 0.0001, "model": 0.002, "decide": 0.0001}
    prediction.total = 0.0063
    return dict(orjson.loads(Encoder(IDENTITY)(prediction)))


def record(prediction_id: str, **overrides: Any) -> dict[str, Any]:
    """A plain record at noon; a `minute` sets its time."""
    minute = overrides.pop("minute", 0)
    plain = {
        "prediction_id": prediction_id, "request_id": f"r-{prediction_id}", "entity_id": None, "context": {},
        "time": f"2026-01-01T{12 + minute // 60:02d}:{minute % 60:02d}:00.000000Z", "facts": {}, "exceeded": [],
        "features": {"x": 1.0}, "fallback_used": False, "fallback": None, "fallback_reason": None, "cache": None,
        "shadow": False, "feature_refs": {},
    }  # fmt: skip
    return {**written(), **plain, **overrides}


def lines(records: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in records)


def write_log(folder: Path, records: Iterable[dict[str, Any]], name: str = NAME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(lines(records))
    return folder


def segment(folder: Path, blocks: Iterable[Iterable[dict[str, Any]]], name: str = NAME) -> Path:
    """A segment as pods write it, of checksummed blocks; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"".join(frame([lines([row]) for row in rows]) for rows in blocks))
    return folder / name


def feedback(feedback_id: str, **overrides: Any) -> dict[str, Any]:
    """A row of feedback at noon; a `minute` sets when it was received."""
    minute = overrides.pop("minute", 0)
    plain = {
        "schema_version": 1, "feedback_id": feedback_id, "namespace": "demo", "objective": "late",
        "received": f"2026-01-01T{12 + minute // 60:02d}:{minute % 60:02d}:00.000000Z", "prediction_id": None,
        "entity_id": None, "label": None, "reward": None, "time": None, "source": None, "revision": "delay-1",
        "caller": None,
    }  # fmt: skip
    return {**plain, **overrides}


def write_hive(root: Path, kind: str, hour: str, rows: Iterable[dict[str, Any]], name: str = "pod-1.parquet") -> Path:
    """A Parquet file below a sink's root, as the shipper names it; the file."""
    from turnout_runtime.analysis.database import database
    from turnout_runtime.analysis.relation import of_lines

    folder = root / kind / "namespace=demo" / "objective=late" / f"hour={hour}"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f".{name}.jsonl"
    source.write_bytes(lines(rows))
    table = of_lines("feedback" if kind == "feedback" else "predictions", [source])
    with database() as connection:
        connection.execute(f"COPY ({table}) TO '{folder / name}' (FORMAT parquet)")
    source.unlink()
    return folder / name


def write_csv(path: Path, header: str, rows: Sequence[Sequence[Any]]) -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def small_log(folder: Path) -> Path:
    """Two pods: an answer with a fallback and its shadow, a plain answer, and a failure."""
    shadow = record("p-shadow", request_id="r-1", shadow=True, arm="next", score=0.25, decision="on_time")
    write_log(folder / "a", [written(), record("p2", minute=1, arm="next")])
    failed = record("p3", minute=2, status="error", error_type="KeyError", decision=None, score=None)
    return write_log(folder / "b", [shadow, failed]).parent
