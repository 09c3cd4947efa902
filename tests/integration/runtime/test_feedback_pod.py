"""Feedback in pods as they run: what was accepted stays whatever happens to the process, and joins its prediction."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runtime.process import Answer, Runtime, config_for, running, serving
from tests.unit.runtime.builders import BUNDLES

from turnout_runtime.cli import main
from turnout_runtime.log.read import rows
from turnout_runtime.log.recover import recover

FEEDBACK = "/v1/demo/echo/feedback"
ACCEPTED = 'turnout_feedback_total{outcome="accepted"}'


def configured(folder: Path, limits: dict[str, Any] | None = None, **log: Any) -> dict[str, Any]:
    config = config_for(folder, BUNDLES / "echo", serving=serving(**(limits or {})))
    config["predictionLog"].update(log)
    return config


def send(runtime: Runtime, *sent: dict[str, Any]) -> Answer:
    return runtime.send("POST", FEEDBACK, json.dumps({"feedback": sent}))


def kept(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(rows(log, "feedback")).splitlines()]


def test_what_was_accepted_outlives_the_process(tmp_path: Path) -> None:
    with running(tmp_path, configured(tmp_path, flushSeconds=60.0)) as runtime:
        for number in range(5):
            assert send(runtime, {"prediction_id": f"p{number}", "label": 1}).body == {"accepted": 1}
        runtime.process.kill()
        runtime.process.wait()
    assert [segment.rows for segment in recover(runtime.log)] == [5]
    assert [row["prediction_id"] for row in kept(runtime.log)] == [f"p{number}" for number in range(5)]


def test_a_pod_of_several_processes_takes_it_in_any_of_them_and_seals_it_at_the_end(tmp_path: Path) -> None:
    with running(tmp_path, configured(tmp_path, {"processes": 2, "concurrency": 4}, sync=True)) as runtime:
        for number in range(40):
            assert send(runtime, {"prediction_id": f"p{number}", "reward": number}).status == 202
        assert runtime.metric(ACCEPTED) == runtime.metric("turnout_feedback_rows_total") == 40
        assert runtime.terminate() == 0
    names = sorted(path.name for path in runtime.log.glob("feedback-*"))
    assert len(names) == len({name.split("-")[2] for name in names}) == 2
    assert all(name.endswith(".jsonl") for name in names)
    assert {row["prediction_id"] for row in kept(runtime.log)} == {f"p{number}" for number in range(40)}


def test_an_idle_segment_is_sealed_in_time(tmp_path: Path) -> None:
    with running(tmp_path, configured(tmp_path, maxAgeSeconds=0.1)) as runtime:
        assert send(runtime, {"prediction_id": "p", "label": 0}).status == 202
        runtime.wait_for(lambda: bool(list(runtime.log.glob("feedback-*.jsonl"))))


def test_feedback_joins_its_predictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hidden = {"fields": ["entity_id"], "keyEnv": "LOG_KEY"}
    with running(tmp_path, configured(tmp_path, hash=hidden), LOG_KEY="k" * 32) as runtime:
        answers = [runtime.predict(entity_id=f"e{number}").body for number in range(3)]
        later = {"entity_id": "e2", "time": "2100-01-01T00:00:00Z", "label": 1}
        assert send(runtime, {"prediction_id": answers[0]["prediction_id"], "label": 1}, later).status == 202
        runtime.wait_for(lambda: len(runtime.records()) == 3)
        select = "SELECT entity_id FROM feedback WHERE entity_id IS NOT NULL"
        assert main(["log", "labels", str(runtime.log)]) == 0
        assert main(["log", "query", str(runtime.log), select, "--format", "csv"]) == 0
    said = capsys.readouterr().out
    assert "labels: 2 rows, 2 used" in said
    assert "\nhmac:" in said


def test_a_pod_without_a_log_takes_none(tmp_path: Path) -> None:
    with running(tmp_path, configured(tmp_path, enabled=False)) as runtime:
        answer = send(runtime, {"prediction_id": "p", "label": 1})
        assert (answer.status, "predictionLog.enabled" in answer.body["detail"]) == (404, True)
        assert "/v1/demo/echo/feedback" not in runtime.send("GET", "/v1/demo/echo/openapi.json").body["paths"]
