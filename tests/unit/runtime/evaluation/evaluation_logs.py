"""Logs as a runtime writes them, made up."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from turnout_runtime.predict.ids import rfc3339

_DAY = 1_700_000_000_000_000_000
_SECOND = 1_000_000_000


def record(number: int = 0, **overrides: Any) -> dict[str, Any]:
    """The record of an answered request, one a second."""
    made = {
        "schema_version": 2,
        "prediction_id": f"p{number}",
        "request_id": f"r{number}",
        "time": rfc3339(_DAY + number * _SECOND),
        "namespace": "demo",
        "objective": "orders",
        "model_deployment": "orders",
        "revision": "orders-1",
        "bundle_digest": "sha256:" + "a" * 64,
        "policy_version": "7",
        "arm": "stable",
        "cohort": number % 10_000,
        "propensity": 0.5,
        "shadow": False,
        "entity_id": f"e{number}",
        "feature_refs": {},
        "context": {},
        "facts": {},
        "features": {},
        "passes": 1,
        "batch_size": None,
        "score": 0.5,
        "decision": "accept",
        "confidence": 1.0,
        "explanations_ref": None,
        "details": None,
        "fallback_used": False,
        "fallback": None,
        "fallback_reason": None,
        "cache": None,
        "exceeded": [],
        "stages_ms": {"queue": 0.0, "facts": 0.1, "features": 0.1, "model": 0.1, "decide": 0.1, "total": 0.4},
        "status": "ok",
        "error_type": None,
    }
    return {**made, **overrides}


def log(folder: Path, records: Iterable[dict[str, Any]]) -> Path:
    """A log directory with the records in one file."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in records)
    (folder / "predictions-20231114T221320000Z-1-1.jsonl").write_text(lines)
    return folder


def weather(count: int, *, seed: int, wind: float = 10.0, lost: float = 0.0, **overrides: Any) -> list[dict[str, Any]]:
    """Records with the features wind (normal around `wind`, a share `lost` of it missing) and hour, and a carrier."""
    made, chance = [], random.Random(seed)
    for number in range(count):
        value = None if chance.random() < lost else round(chance.gauss(wind, 3), 2)
        hour = float(chance.randrange(24))
        score = round(min(1.0, max(0.0, ((value or 10.0) + chance.gauss(0, 2)) / 30)), 4)
        made.append(
            record(
                number,
                context={"carrier": chance.choice(["AA", "DL", "UA"]), "tail": f"N{number}"},
                features={"wind": value, "hour": hour},
                score=score,
                decision="late" if score > 0.4 else "on_time",
                **overrides,
            )
        )
    return made


def orders(count: int, seed: int) -> list[dict[str, Any]]:
    """What the bundle of docs/batch.md answered to orders in two currencies."""
    made, chance = [], random.Random(seed)
    for number in range(count):
        currency, amount = chance.choice([("EUR", 1.5), ("GBP", 2.0)]), float(chance.randrange(5, 120))
        score = amount * currency[1]
        rate = {"value": {"rate": currency[1]}, "source": "live", "latency_ms": 0.2, "age_ms": None}
        made.append(
            record(
                number,
                context={"amount": amount, "currency": currency[0]},
                facts={"rate": rate},
                features={"amount": amount, "rate": currency[1]},
                score=score,
                decision="review" if score >= 100 else "accept",
                arm="stable",
                propensity=0.9,
            )
        )
    made.append(record(count, status="timeout", error_type="timeout", decision=None, score=None))
    return made
