"""Sketches from the training table to Prometheus: built into a bundle, filled by a real pod, read by people."""

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runtime.commands import Commands
from tests.integration.runtime.process import Runtime, config_for, running, serving
from tests.unit.runtime.builders import MANIFEST, write_bundle

from turnout_runtime.bundle.archive import unpack

WORKFLOW = b"""
from turnout_runtime.workflow import Decision, Workflow

class Made(Workflow):
    feature_names = ("wind", "hour")

    def features(self, ctx):
        return [ctx.request.context.get("wind", float("nan")), ctx.request.context["hour"]]

    def predict(self, ctx, features):
        return features[1] / 24

    def decide(self, ctx, score):
        return Decision("late" if score > 0.5 else "on_time", score, 1.0)
"""


def flights(count: int, wind: float, seed: int) -> list[dict[str, float]]:
    chance = random.Random(seed)
    return [{"wind": round(chance.gauss(wind, 3), 2), "hour": float(chance.randrange(24))} for _ in range(count)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    rows = [{**row, "score": row["hour"] / 24, "decision": "late" if row["hour"] > 12 else "on_time"}
            for row in flights(3000, 10.0, 1)]  # fmt: skip
    (folder / "training.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = write_bundle(folder / "source", bundle_yaml=MANIFEST, workflow_py=WORKFLOW)
    turnout(commands, "bundle", "build", source, "-o", folder / "b.tar.gz", "--reference", folder / "training.jsonl")
    (folder / "built").mkdir()
    unpack(folder / "b.tar.gz", folder / "built")
    return folder / "built"


@pytest.fixture(scope="module", params=[1, 2])
def pod(request: pytest.FixtureRequest, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """After 600 requests on a day with more wind, of which every tenth does not know it."""
    folder = tmp_path_factory.mktemp("pod")
    config = config_for(folder, bundle, serving=serving(processes=request.param))
    with running(folder, config) as runtime:
        for number, row in enumerate(flights(600, 13.0, 2)):
            if number % 10 == 0:
                del row["wind"]
            assert runtime.predict(row).status == 200
        assert runtime.predict("no context").status == 400
        runtime.wait_for(lambda: runtime.metric("turnout_log_records_total") == 601)
        yield runtime


def turnout(commands: Commands, *words: object) -> str:
    command = [commands.folder / "turnout", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_prometheus_hears_of_the_whole_pod(pod: Runtime) -> None:
    assert pod.metric("turnout_drift_rows") == 600
    assert pod.metric('turnout_drift_psi{column="features.wind"}') > 0.5
    assert pod.metric('turnout_drift_ks{column="features.wind"}') > 0.25
    assert pod.metric('turnout_drift_missing_ratio{column="features.wind"}') == pytest.approx(0.1)
    for column in ("features.hour", "score", "decision"):
        moved, chance = (pod.metric(f'turnout_drift_psi{name}{{column="{column}"}}') for name in ("", "_by_chance"))
        assert 0 < moved < 0.1
        assert 0 < chance < 0.1


def test_sketches_online_are_those_of_the_log(pod: Runtime, bundle: Path, commands: Commands) -> None:
    url = f"http://127.0.0.1:{pod.port('admin')}"
    shifts = [
        json.loads(turnout(commands, "drift", *words, "--json"))[0]["columns"]
        for words in (
            ("--sketches", url),
            ("--sketches", f"{url}/sketches?seconds=3600", "--reference", bundle / "reference.json"),
            ("--log", pod.log, "--reference", bundle / "reference.json"),
        )
    ]
    assert [len(found) for found in shifts] == [4, 4, 4]
    assert shifts[0] == shifts[1] == shifts[2]
    assert (shifts[0][0]["name"], shifts[0][0]["verdict"]) == ("features.wind", "moved")


def test_the_document_says_whose_and_when(pod: Runtime) -> None:
    told: dict[str, Any] = pod.get("/sketches").body
    assert (told["schema_version"], told["rows"], told["reference"]["rows"]) == (1, 600, 3000)
    assert (told["namespace"], told["revision"]) == ("demo", "echo-1a2b3c4d")
    assert told["since"] < told["until"]
    assert told["columns"]["features.wind"]["missing"] == 60
    assert sum(told["columns"]["decision"]["counts"].values()) == 600
    assert pod.get("/sketches?seconds=60").status == 200
    for odd in ("0", "x", "99999"):
        assert pod.get(f"/sketches?seconds={odd}").status == 400


def test_two_pods_are_read_as_one(pod: Runtime, commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text(json.dumps(pod.get("/sketches").body))
    url = f"http://127.0.0.1:{pod.port('admin')}"
    assert turnout(commands, "drift", "--sketches", url, tmp_path / "kept.json").startswith("1,200 records against 3,0")
