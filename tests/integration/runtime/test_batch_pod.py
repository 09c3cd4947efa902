"""The batch mode of a pod: a shard of an Indexed Job, in a process of its own."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runtime.process import Runtime, config_for, stop
from tests.unit.runtime.builders import write_bundle
from tests.unit.runtime.offline.offline_bundle import ORDERS, WORKFLOW, jsonl, rates, table


def pod_config(folder: Path, **batch: Any) -> dict[str, Any]:
    """Orders in, a folder of Parquet out."""
    bundle = write_bundle(folder / "bundle", workflow_py=WORKFLOW)
    section = {
        "input": str(folder / "orders.jsonl"),
        "output": f"{folder}/out/",
        "timeColumn": "at",
        "facts": {"rate": {"uri": str(rates(folder))}},
        "processes": 1,
        **batch,
    }
    facts = {"rate": {"redis": {"url": "redis://nowhere"}, "timeoutSeconds": 1, "fallback": {"rate": 1.25}}}
    return config_for(folder, bundle, mode="batch", batch=section, facts=facts)


def ended(folder: Path, config: dict[str, Any], **environment: str) -> Runtime:
    pod = Runtime(folder, config, **environment)
    assert pod.process.wait(20) is not None
    return pod


def test_each_pod_of_an_indexed_job_answers_its_shard(tmp_path: Path) -> None:
    jsonl(tmp_path / "orders.jsonl", ORDERS * 5)
    config = pod_config(tmp_path, shards=2)
    for shard in (1, 0):
        pod = ended(tmp_path, config, JOB_COMPLETION_INDEX=str(shard))
        assert pod.process.returncode == 0, pod.events()
        done = pod.events()[-1]
        assert (done["message"], done["rows"], done["statuses"]) == ("batch done", 10, {"ok": 10})
    rows = table(tmp_path / "out" / "*.parquet")
    assert [row["row"] for row in rows] == list(range(20))
    assert {row["model_version"] for row in rows} == {"echo-1a2b3c4d"}
    assert [row["fallback"] for row in rows[:4]] == [None, None, None, "facts"]


def test_a_pod_that_is_told_to_stop_leaves_its_parts_to_the_next(tmp_path: Path) -> None:
    jsonl(tmp_path / "orders.jsonl", [*ORDERS * 5, {**ORDERS[0], "pause": 30}])
    config = pod_config(tmp_path, rowsPerPart=10)
    pod = Runtime(tmp_path, config)
    try:
        parts = tmp_path / "out" / "_parts" / "00000-of-00001"
        pod.wait_for(lambda: (parts / "part-0000001.jsonl").exists())
        started = time.monotonic()
        pod.process.send_signal(signal.SIGTERM)
        assert pod.process.wait(10) == 143
        assert time.monotonic() - started < 2
    finally:
        stop(pod)
    state = json.loads((parts / "run.json").read_text())
    assert state["fingerprint"]["shards"] == "0 of 1"
    stamp = (tmp_path / "orders.jsonl").stat()
    text = (tmp_path / "orders.jsonl").read_text().replace('"pause": 30', '"pause": 0 ')
    (tmp_path / "orders.jsonl").write_text(text)
    os.utime(tmp_path / "orders.jsonl", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    done = ended(tmp_path, config).events()[-1]
    assert (done["message"], done["rows"]) == ("batch done", 1)
    assert len(table(tmp_path / "out" / "*.parquet")) == 21
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["part-00000-of-00001.parquet"]


@pytest.mark.parametrize(
    ("environment", "batch", "reason", "message"),
    [
        ({}, {"shards": 2}, "ConfigInvalid", "JOB_COMPLETION_INDEX None: run it in an Indexed Job of 2"),
        ({"JOB_COMPLETION_INDEX": "2"}, {"shards": 2}, "ConfigInvalid", "JOB_COMPLETION_INDEX '2'"),
        ({}, {"timeColumn": "when"}, "BatchFailed", "2 invalid (most: when: no time since 1970)"),
        ({}, {"input": "/nowhere.csv"}, "BatchInvalid", "batch.input: /nowhere.csv: there is no such file"),
    ],
)
def test_a_shard_that_cannot_be_answered_says_so_in_its_last_words(
    tmp_path: Path, environment: dict[str, str], batch: dict[str, Any], reason: str, message: str
) -> None:
    jsonl(tmp_path / "orders.jsonl", ORDERS[:2])
    words = Runtime(tmp_path, pod_config(tmp_path, **batch), **environment).last_words()
    assert words["reason"] == reason
    assert message in words["message"]
