"""What a pod logs of its requests, as its configuration says."""

import base64
import json
from pathlib import Path
from typing import Any

from tests.integration.runtime.process import Runtime, config_for, running
from tests.unit.runtime.builders import BUNDLES

from turnout_runtime.log.privacy import pseudonym

KEY = "a key of sixteen characters"
CLAIMS = base64.urlsafe_b64encode(json.dumps({"sub": "subject-1", "team": "ops"}).encode()).decode()


def _configured(folder: Path, **fields: Any) -> dict[str, Any]:
    log = {"directory": str(folder / "log"), "maxFileBytes": 1_000_000, "maxFiles": 4, **fields}
    return config_for(folder, BUNDLES / "echo", predictionLog=log)


def _disk(runtime: Runtime) -> bytes:
    assert runtime.terminate() == 0
    return b"".join(path.read_bytes() for path in runtime.log.iterdir()) if runtime.log.is_dir() else b""


def test_what_is_hidden_never_touches_the_disk(tmp_path: Path) -> None:
    config = _configured(
        tmp_path, redact=["context.secret", "caller.sub"], headers=["x-region"],
        hash={"fields": ["entity_id"], "keyEnv": "LOG_KEY"},
    )  # fmt: skip
    headers = {"x-turnout-caller": CLAIMS, "x-region": "eu", "authorization": "Bearer token-1"}
    with running(tmp_path, config, LOG_KEY=KEY) as runtime:
        answer = runtime.predict({"secret": "hidden-1", "open": 1}, headers, entity_id="entity-1")
        record = runtime.record_of(answer)
        feedback = json.dumps({"entity_id": "entity-1", "time": "2026-11-22T00:00:00Z", "label": 1})
        assert runtime.send("POST", "/v1/demo/echo/feedback", feedback).status == 202
        disk = _disk(runtime)
    assert record["context"] == {"secret": None, "open": 1}
    assert record["caller"] == {"sub": None, "team": "ops"}
    assert record["headers"] == {"x-region": "eu"}
    assert record["entity_id"] == pseudonym(KEY.encode(), "entity-1")
    assert disk.count(str(record["entity_id"]).encode()) == 2
    for secret in (b"hidden-1", b"subject-1", b"token-1", b"entity-1", KEY.encode()):
        assert secret not in disk


def test_a_key_that_is_missing_ends_the_start(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, _configured(tmp_path, hash={"fields": ["entity_id"], "keyEnv": "LOG_KEY"}))
    assert runtime.last_words()["reason"] == "ConfigInvalid"


def test_a_sample_keeps_all_failures_and_counts_the_rest(tmp_path: Path) -> None:
    with running(tmp_path, _configured(tmp_path, sample=0.0001)) as runtime:
        for number in range(20):
            assert runtime.predict({}, request_id=f"r-{number}").status == 200
        failed = runtime.predict({"x": 1}, entity_id=5)
        record = runtime.record_of(failed)
        assert runtime.metric("turnout_log_sampled_out_total") == 20
    assert (record["status"], record["sample_rate"]) == ("invalid", 1.0)


def test_without_a_log_there_are_answers_and_no_files(tmp_path: Path) -> None:
    with running(tmp_path, _configured(tmp_path, enabled=False)) as runtime:
        assert runtime.predict().status == 200
        assert runtime.metric('turnout_requests_total{arm="none",status="ok"}') == 1
        assert "turnout_log_records" not in runtime.get("/metrics").body
        assert _disk(runtime) == b""
