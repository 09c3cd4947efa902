"""What a bundle must prove before it serves: card, schemas, warm-up requests, golden examples."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.builders import MANIFEST, write_bundle

from turnout_runtime.bundle.source import Bundle, obtain
from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.cli.bundle.opened import SERVING
from turnout_runtime.config import Requires
from turnout_runtime.errors import (
    BundleInvalid,
    CardMismatch,
    GoldenExamplesFailed,
    RequirementsNotMet,
    SchemaMismatch,
    StartError,
    WorkflowSetupFailed,
)
from turnout_runtime.loading import LoadedWorkflow, load_workflow
from turnout_runtime.loading.workflow import check_card
from turnout_runtime.workflow.schema import decision_schema, request_schema

WORKFLOW = b"""
from pydantic import BaseModel
from turnout_runtime.workflow import Decision, Workflow

class Flight(BaseModel):
    carrier: str

class Delay(BaseModel):
    minutes: float
    why: list[str]

class Made(Workflow[Flight, Delay]):
    feature_names = ("temp",)

    async def fetch(self, ctx):
        if ctx.input.carrier != "XX":
            await ctx.facts.fetch(weather="EWR")

    def features(self, ctx):
        weather = ctx.facts["weather"] if ctx.input.carrier != "XX" else None
        return {"temp": weather["temp"] if weather else 0.0}

    def predict(self, ctx, features):
        if ctx.input.carrier == "!!":
            raise ValueError("no such carrier")
        return features["temp"] / 100

    def decide(self, ctx, score):
        hour = str(ctx.now.hour)
        return Decision("late", score, 0.9, details=Delay(minutes=score * 60, why=["cold", hour]))
"""
GOLDEN = MANIFEST + b"golden: golden.jsonl\n"


def _bundle(tmp: Path, manifest: bytes = MANIFEST, **files: bytes) -> Bundle:
    folder = write_bundle(tmp / "bundle", **{"bundle_yaml": manifest, "workflow_py": WORKFLOW, **files})
    return obtain("file:///b", digest_folder(folder), folder, tmp / "cache")


async def _load(bundle: Bundle, **card: str) -> LoadedWorkflow:
    return await load_workflow(bundle, SERVING, requires=Requires(card=card))


def _line(expect: dict[str, Any], carrier: str = "UA", facts: Any = None, **fields: Any) -> bytes:
    given = {"weather": {"temp": 41}} if facts is None else facts
    return json.dumps(
        {"request": {"context": {"carrier": carrier}}, "facts": given, "expect": expect, **fields}
    ).encode()


HOLD = [
    _line({"decision": "late", "score": 0.41, "confidence": 0.9, "fallback_used": False, "explanations_ref": None}),
    _line({"details": {"minutes": 24.6}}),
    _line({"details": {"why": ["cold", "17"]}}, time="2013-07-01T17:30:00Z"),
    _line({"score": 0.4}, tolerance=0.02),
    _line({"score": 0.0}, facts={"weather": None}),
    _line({"score": 0}, carrier="XX", facts={}),
    _line({"error": "ValueError"}, carrier="!!"),
    b'{"request": {"context": {}}, "expect": {"error": "invalid-request"}}',
]


async def test_golden_examples_hold(tmp_path: Path) -> None:
    assert (await _load(_bundle(tmp_path, GOLDEN, golden_jsonl=b"\n".join(HOLD)))).golden == len(HOLD)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (_line({"decision": "on_time"}), "line 1: decision is 'late', expected 'on_time'"),
        (_line({"score": 0.4}), "line 1: score is 0.41, expected 0.4"),
        (_line({"score": 0.4, "confidence": 1.0}), "score is 0.41, expected 0.4, confidence is 0.9, expected 1.0"),
        (_line({"details": {"minutes": 25.0}}), "line 1: details is "),
        (_line({"details": {"hours": 1}}), "line 1: details is "),
        (_line({"fallback_used": True}), "line 1: fallback_used is False, expected True"),
        (_line({"fallback": "rules"}), "line 1: fallback is None, expected 'rules'"),
        (
            _line({"score": 0.41}, facts={}),
            "line 1: the workflow fetches the fact 'weather': give it in facts, or null",
        ),
        (_line({"score": 0.41}, carrier="!!"), "line 1: failed with workflow.py:25: ValueError: no such carrier"),
        (_line({"error": "timeout"}), "line 1: error is None, expected 'timeout'"),
    ],
)
async def test_a_golden_example_that_fails_says_how(tmp_path: Path, line: bytes, told: str) -> None:
    with pytest.raises(GoldenExamplesFailed) as caught:
        await _load(_bundle(tmp_path, GOLDEN, golden_jsonl=line))
    assert told in str(caught.value)
    assert str(caught.value).endswith("correct the workflow, or what the examples expect")


async def test_only_the_first_failures_are_told(tmp_path: Path) -> None:
    text = b"\n".join([HOLD[0]] + [_line({"score": 10 + score}) for score in range(5)])
    with pytest.raises(GoldenExamplesFailed, match=r"golden\.jsonl line 2: .*line 3: .*line 4: [^;]*\(and 2 more\)"):
        await _load(_bundle(tmp_path, GOLDEN, golden_jsonl=text))


async def test_lines_that_fail_alike_are_told_together(tmp_path: Path) -> None:
    text = b"\n".join([HOLD[0]] + [_line({"score": 9})] * 5)
    with pytest.raises(GoldenExamplesFailed, match=r"golden\.jsonl lines 2, 3, 4 and 2 more: score is 0\.41, expected"):
        await _load(_bundle(tmp_path, GOLDEN, golden_jsonl=text))


async def test_warm_up_requests_must_be_answered(tmp_path: Path) -> None:
    manifest = MANIFEST + b"warmup: warmup.jsonl\n"
    await _load(_bundle(tmp_path, manifest, warmup_jsonl=b'{"context": {"carrier": "UA"}}\n'))
    with pytest.raises(WorkflowSetupFailed, match=r"jsonl line 1: workflow\.py:25: ValueError: no such carrier"):
        await _load(_bundle(tmp_path, manifest, warmup_jsonl=b'{"context": {"carrier": "!!"}}\n'))


def test_code_that_blocks_holds_up_nobody_who_gives_up(tmp_path: Path) -> None:
    setup = b"    def setup(self, models):\n        import time\n        time.sleep(20)\n\n    def features"
    bundle = _bundle(tmp_path, workflow_py=WORKFLOW.replace(b"    def features", setup))
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(_load(bundle), 0.3))
    assert time.monotonic() - began < 5


def test_the_card_must_have_what_is_required() -> None:
    check_card({"dataset": "flights", "segment": "us"}, Requires(card={"dataset": "flights"}))
    with pytest.raises(CardMismatch) as caught:
        check_card({"dataset": "trains"}, Requires(card={"dataset": "flights", "segment": "us"}))
    assert "dataset is 'trains', required is 'flights'; segment is missing, required is 'us'" in str(caught.value)


async def test_the_card_and_requirements_are_asked_before_any_code_runs(tmp_path: Path) -> None:
    broken = {"workflow_py": b"raise SystemExit(3)"}
    with pytest.raises(CardMismatch):
        await _load(_bundle(tmp_path, **broken), dataset="flights")
    with pytest.raises(RequirementsNotMet, match="no-such-package"):
        await _load(_bundle(tmp_path, MANIFEST + b"requirements: [no-such-package]\n", **broken))


async def _schemas(tmp: Path) -> dict[str, bytes]:
    workflow = (await _load(_bundle(tmp / "plain"))).workflow
    documents = {"request_json": request_schema(workflow), "decision_json": decision_schema(workflow)}
    return {name: json.dumps(schema).encode() for name, schema in documents.items()}


WITH_SCHEMAS = MANIFEST + b"schemas: {request: request.json, decision: decision.json}\n"


async def test_schemas_are_those_of_the_code(tmp_path: Path) -> None:
    schemas = await _schemas(tmp_path)
    await _load(_bundle(tmp_path, WITH_SCHEMAS, **schemas))
    for code in (WORKFLOW.replace(b"carrier: str", b"carrier: int"), WORKFLOW.replace(b"minutes: f", b"hours: f")):
        with pytest.raises(SchemaMismatch, match=r"\.json: the code's schema is another one, at "):
            await _load(_bundle(tmp_path, WITH_SCHEMAS, workflow_py=code, **schemas))


@pytest.mark.parametrize(("text", "kind"), [(b"{", BundleInvalid), (b"[]", BundleInvalid), (b"{}", SchemaMismatch)])
async def test_a_schema_file_of_something_else(tmp_path: Path, text: bytes, kind: type[StartError]) -> None:
    with pytest.raises(kind, match=r"request\.json"):
        await _load(_bundle(tmp_path, MANIFEST + b"schemas: {request: request.json}\n", request_json=text))


async def test_the_hash_on_the_card_is_that_of_the_code(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match="featureSchemaHash is sha256:0, the code's is sha256:") as caught:
        await _load(_bundle(tmp_path, MANIFEST + b"card: {featureSchemaHash: 'sha256:0'}\n"))
    right = str(caught.value).split("the code's is ")[1].split(":")[1]
    await _load(_bundle(tmp_path, MANIFEST + f"card: {{featureSchemaHash: 'sha256:{right}'}}\n".encode()))


async def test_artifacts_are_there_before_setup(tmp_path: Path) -> None:
    code = b"""
from turnout_runtime.workflow import Decision, Workflow

class Made(Workflow):
    def setup(self, models):
        self.words = self.artifacts["words"].read_text()

    def decide(self, ctx, score):
        return Decision("made", score, 1.0)
"""
    manifest = MANIFEST + b"artifacts: {words: {path: words.txt}}\n"
    loaded = await _load(_bundle(tmp_path, manifest, workflow_py=code, words_txt=b"late early"))
    assert loaded.workflow.words == "late early"  # type: ignore[attr-defined]
