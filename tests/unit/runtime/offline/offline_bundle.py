"""A bundle for the tests of offline runs: converts an amount with the rate of its currency at that time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
from tests.unit.runtime.builders import write_bundle

from turnout_runtime.bundle.local import open_bundle
from turnout_runtime.config import Batch, FactConfig
from turnout_runtime.offline.job import Job

WORKFLOW = b"""
import asyncio

from turnout_runtime.workflow import Decision, Workflow

class Made(Workflow):
    feature_names = ("amount", "rate")

    async def fetch(self, ctx):
        if "pause" in ctx.request.context:
            await asyncio.sleep(ctx.request.context["pause"])
        await ctx.facts.fetch(rate=ctx.request.context.get("currency"))

    def features(self, ctx):
        amount = ctx.request.context["amount"]
        return [float(amount), (ctx.facts["rate"] or {}).get("rate", float("nan"))]

    async def predict(self, ctx, features):
        amount, rate = features
        if rate != rate:
            raise ValueError("no rate")
        return amount * rate

    def decide(self, ctx, score):
        seen = f"now={ctx.now:%Y-%m-%dT%H:%M:%SZ}"
        return Decision("high" if score >= 100 else "low", score, 1.0, explanations_ref=seen)
"""
TYPED = WORKFLOW.replace(b"import asyncio\n", b"import asyncio\nfrom pydantic import BaseModel\n").replace(
    b"class Made(Workflow):",
    b"class Order(BaseModel):\n    amount: float\n    currency: str\n    note: str = ''\n\n"
    b"class Made(Workflow[Order]):",
)
RATES = [("EUR", "2024-01-01T00:00:00Z", 1.5), ("EUR", "2024-01-03T00:00:00Z", 2.0), ("USD", "2024-01-01T00:00:00Z", 1)]
ORDERS = [
    {"amount": 10, "currency": "EUR", "at": "2024-01-02T00:00:00Z", "who": "a"},
    {"amount": 60, "currency": "EUR", "at": "2024-01-03T00:00:00Z", "who": "b"},
    {"amount": 7, "currency": "USD", "at": "2024-01-03T00:00:00Z", "who": "c"},
    {"amount": 5, "currency": "GBP", "at": "2024-01-03T00:00:00Z", "who": "d"},
]
FALLBACK = {"rate": {"redis": {"url": "redis://nowhere"}, "timeoutSeconds": 1, "fallback": {"rate": 1.25}}}


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rates(folder: Path) -> Path:
    return jsonl(folder / "rates.jsonl", [{"key": k, "time": t, "rate": r} for k, t, r in RATES])


def job(folder: Path, workflow: bytes = WORKFLOW, declared: Mapping[str, Any] | None = None, **batch: Any) -> Job:
    """A job over orders.jsonl in the folder; `declared` is the section facts, `batch` has fields of batch."""
    bundle = folder / "bundle"
    if not bundle.exists():
        write_bundle(bundle, workflow_py=workflow)
        rates(folder)
        if not (folder / "orders.jsonl").exists():
            jsonl(folder / "orders.jsonl", ORDERS)
    document = {
        "input": str(folder / "orders.jsonl"),
        "output": str(folder / "scores.jsonl"),
        "timeColumn": "at",
        "entityIdColumn": "who",
        "processes": 1,
        "facts": {"rate": {"uri": str(folder / "rates.jsonl")}},
    }
    settings = Batch.model_validate({**document, **batch})
    configs = {name: FactConfig.model_validate(fact) for name, fact in (declared or {}).items()}
    return Job(open_bundle(bundle, folder / "cache"), "made-1", settings, configs)


def table(path: Path | str) -> list[dict[str, Any]]:
    """All rows of an output, whatever its format."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        cursor = connection.execute(f"SELECT * REPLACE (CAST(time AS VARCHAR) AS time) FROM '{path}'")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
