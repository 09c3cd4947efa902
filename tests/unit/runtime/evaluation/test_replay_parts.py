"""Logged facts as sources, records as requests, and what is made of pairs."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime.builders import write_bundle
from tests.unit.runtime.evaluation.evaluation_logs import log, record

from turnout_runtime.cli import main
from turnout_runtime.evaluation.replay.compare import Comparison
from turnout_runtime.evaluation.replay.facts import RequestFacts
from turnout_runtime.evaluation.replay.player import Pair
from turnout_runtime.evaluation.replay.requests import asked, nanoseconds, not_replayable
from turnout_runtime.evaluation.replay.slices import Slices
from turnout_runtime.facts import Facts, Scope
from turnout_runtime.predict.ids import rfc3339

WORKFLOW = b"""
from turnout_runtime import Decision, Workflow

class Made(Workflow):
    feature_names = ("amount", "rate")

    async def fetch(self, ctx):
        await ctx.facts.fetch(rate=ctx.request.context.get("currency"))

    def features(self, ctx):
        return [ctx.request.context["amount"], (ctx.facts["rate"] or {"rate": 1.0})["rate"]]

    async def predict(self, ctx, features):
        return features[0] * features[1]

    def decide(self, ctx, score):
        return Decision("review" if score >= 100 else "accept", score, 1.0)
"""


def fact(source: str, value: Any, reason: str | None = None, age_ms: float | None = None) -> dict[str, Any]:
    made = {"value": value, "source": source, "latency_ms": 1.0, "age_ms": age_ms}
    return made if reason is None else {**made, "reason": reason}


@pytest.mark.parametrize(
    ("logged", "key"),
    [
        (fact("live", {"a": [1]}), "k"),
        (fact("live", {"a": 1}, age_ms=12.345), "k"),
        (fact("cache", {"a": 1}, age_ms=0.001), "k"),
        (fact("caller", {"vector": [0.1]}), None),
        (fact("stale", {"a": 1}, "timeout", 123456.789), "k"),
        (fact("stale", {"a": 1}, "breaker_open", 2.0), "k"),
        (fact("fallback", {"a": 1}, "error"), "k"),
        (fact("fallback", {"a": 1}, "not_found"), None),
        (fact("fallback", {"a": 1}, "no_key"), None),
        (fact("missing", None, "timeout"), "k"),
        (fact("missing", None, "no_key"), None),
        (fact("missing", None, "not_found"), None),
    ],
)
async def test_a_fact_settles_as_it_did(logged: dict[str, Any], key: str | None) -> None:
    facts = Facts(RequestFacts({"f": logged}), Scope(0, lambda: 10.0))
    await facts.fetch(f=key)
    found = facts.settled["f"]
    told = {"value": found.value, "source": found.source, "age_ms": found.age_ms}
    assert told == {name: logged[name] for name in told}
    assert found.reason == logged.get("reason")
    assert found.value is None or found.value is not logged["value"]  # the workflow may change it


async def test_a_fact_that_was_not_logged_is_missing() -> None:
    rules = RequestFacts({})
    assert rules["radar"].fallback is None
    assert rules.unknown == {"radar"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"status": "error", "error_type": "KeyError", "decision": None}, None),
        ({"status": "invalid", "error_type": "invalid-request", "decision": None}, None),
        ({"fallback": "rules", "fallback_reason": "KeyError"}, None),
        ({"cache": {"status": "miss", "age_ms": None}}, None),
        ({"context": None}, "refused before it was read"),
        ({"cache": {"status": "hit", "age_ms": 1.0}}, "answered from memory"),
        ({"status": "timeout", "error_type": "timeout"}, "timeout: no answer to compare"),
        ({"status": "shed", "error_type": "queue_full"}, "shed: no answer to compare"),
        ({"status": "error", "error_type": "model-unavailable"}, "a failure of the moment: model-unavailable"),
        ({"fallback": "default", "fallback_reason": "facts-timeout"}, "a failure of the moment: facts-timeout"),
        ({"status": "invalid", "error_type": "request-id-reused"}, "a request_id that came again"),
    ],
)
def test_which_records_are_requests(changes: dict[str, Any], reason: str | None) -> None:
    assert not_replayable(record(**changes)) == reason


@given(st.integers(0, 4_000_000_000_000_000))
def test_times_are_those_of_the_log(microseconds: int) -> None:
    assert nanoseconds(rfc3339(microseconds * 1000)) == microseconds * 1000


def test_a_precomputed_row_takes_the_candidates_order() -> None:
    stages = {"queue": 0.0, "facts": None, "features": None, "model": 0.1, "decide": 0.1, "total": 0.3}
    row = record(features={"a": 1.0, "b": None}, stages_ms=stages)
    assert str(asked(row, ("b", "a")).document["features"]) == "[nan, 1.0]"
    assert str(asked(row, ("c",)).document["features"]) == "[1.0, nan]"
    assert "features" not in asked(record(features={"a": 1.0}), ("a",)).document


def pair(number: int, now: str | None = "accept", score: float | None = 0.5, **logged: Any) -> Pair:
    before = record(number, **logged)
    error = None if now is not None else "KeyError"
    changes = {"decision": now, "score": score, "error_type": error, "error": error and "'x'"}
    return Pair(before, {**before, **changes}, frozenset())


def test_an_error_is_a_disagreement_and_the_worst_come_first() -> None:
    found = Comparison(kept=3)
    for number in range(10):
        found.add(pair(number))
    found.add(pair(10, "accept", 0.9))
    found.add(pair(11, "review", 0.6))
    found.add(pair(12, None, None))
    found.add(pair(13, "review", 0.7))
    found.add(pair(14, decision=None, score=None, status="error", error_type="KeyError"))
    assert (found.answered, found.agreed, found.mended) == (14, 11, 1)
    assert found.identical == 10
    assert found.disagreement == pytest.approx(3 / 14)
    assert [example.prediction_id for example in found.worst()] == ["p13", "p11", "p12"]
    assert found.texts == {"KeyError": "'x' (p12)"}


def test_slices_that_differ_by_chance_are_not_told() -> None:
    slices = Slices()
    for number in range(900):
        context = {
            "carrier": "ABC"[number % 3],
            "distance": number,
            "tail": f"N{number}",
            "mixed": [1, "x"][number % 2],
        }
        slices.add(record(context={**context, "list": [1]}), not (number % 3 == 1 and number >= 500), 0.0)
    names = [found.name for found in slices.found(9)]
    assert names[0] == "context.carrier=B"
    assert "674 < context.distance" in names
    assert not any("tail" in name or "mixed" in name or "list" in name or "arm" in name for name in names)
    assert slices.found(1)[0].disagreement == pytest.approx(133 / 300, abs=0.01)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a bundle, a candidate that is stricter, and a log of the first."""
    write_bundle(tmp_path / "now", workflow_py=WORKFLOW)
    write_bundle(tmp_path / "candidate", workflow_py=WORKFLOW.replace(b">= 100", b">= 80"))
    rows = []
    for number in range(100):
        amount, rate = float(number), 1.25
        decision, score = ("review" if amount * rate >= 100 else "accept"), amount * rate
        rows.append(
            record(
                number,
                context={"amount": amount, "currency": "EUR"},
                facts={"rate": fact("live", {"rate": rate})},
                features={"amount": amount, "rate": rate},
                score=score,
                decision=decision,
            )
        )
    log(tmp_path / "log", [*rows, {**rows[99], "shadow": True}])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replay(*options: str) -> int:
    return main(["replay", "--log", "log", *options])


def test_a_report_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay("--bundle", "now", "--max-disagreement", "0") == 0
    assert "made-1: 100 requests replayed, 100 of 100 decisions agree (100 %), 100 records are equal" in (
        capsys.readouterr().out
    )
    assert replay("--bundle", "candidate", "--max-disagreement", "2%") == 1
    captured = capsys.readouterr()
    assert captured.err == "turnout: 16 % of 100 decisions differ; --max-disagreement allows 2 %\n"
    assert "accept    review  16" in captured.out
    assert replay("--bundle", "candidate", "--max-disagreement", "16%") == 0


def test_some_of_the_log(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay("--bundle", "now", "--json", "--limit", "7", "--where", "context.amount>=50") == 0
    assert json.loads(capsys.readouterr().out)["replayed"] == 7
    assert replay("--bundle", "now", "--json", "--where", "shadow=true") == 0
    assert json.loads(capsys.readouterr().out)["replayed"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bundle", "nowhere"], "nowhere does not exist"),
        (["--bundle", "now", "--where", "arm=other"], "no answered request to compare (0 replayed; there are none)"),
    ],
)
def test_what_cannot_be_replayed(folder: Path, capsys: pytest.CaptureFixture[str], options: Any, message: str) -> None:
    assert replay(*options) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("share", ["2%%", "-1", "120%", "nan%"])
def test_shares_that_are_none(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        replay("--bundle", "b", "--max-disagreement", share)
    assert "--max-disagreement" in capsys.readouterr().err
