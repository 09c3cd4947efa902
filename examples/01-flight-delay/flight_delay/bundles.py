"""Build the champion's and the challenger's bundle: stage the files, train with the staged workflow, score, build.

The last step is two commands that every author types: `turnout bundle golden --update` and `turnout bundle build`.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from flight_delay import train
from flight_delay.data import Flight
from flight_delay.export import onnx_bytes
from flight_delay.offline import Rows, Snapshot, feature_rows, settled_facts
from flight_delay.quality import Quality, quality
from turnout_runtime.bundle.code import load_entry
from turnout_runtime.bundle.manifest import Manifest, parse
from turnout_runtime.models import onnx
from turnout_runtime.workflow import Workflow
from turnout_runtime.workflow.entry import as_workflow

SOURCE = Path(__file__).parents[1] / "bundle"
NAMES = ("champion", "challenger")
GOLDEN = 12  # flights whose answers travel with the bundle
TOLERANCE = 1e-5  # of a golden score: another processor may round the trees' sums otherwise


@dataclass(frozen=True)
class Bundle:
    """A packed bundle: its file, identity, and quality on flights that it was not trained on."""

    name: str
    archive: Path
    digest: str
    replay: Quality


@dataclass(frozen=True)
class Data:
    """What a bundle is trained on, and replayed on."""

    training: Sequence[Flight]
    replay: Sequence[Flight]
    snapshot: Snapshot


def build(name: str, data: Data, out: Path) -> Bundle:
    """Write `<out>/<name>.tar.gz`; the same data and sources give the same bytes."""
    archive = out / f"{name}.tar.gz"
    with tempfile.TemporaryDirectory() as staging:
        folder, table = Path(staging) / name, Path(staging) / "training.jsonl"
        folder.mkdir()
        replay = _fill(folder, name, data, table)
        _turnout("bundle", "golden", "--update", str(folder))
        built = _turnout("bundle", "build", str(folder), "-o", str(archive), "--reference", str(table))
        digest = built.splitlines()[-1]
        return Bundle(name, archive, digest, replay)


def _fill(folder: Path, name: str, data: Data, table: Path) -> Quality:
    """Write all files of the bundle, and the table that its model was trained on; its quality on the replay."""
    shutil.copyfile(SOURCE / "workflow.py", folder / "workflow.py")
    (folder / "rates.json").write_text(train.to_json(train.late_rates(data.training)))
    workflow = load_workflow(folder, parse((SOURCE / f"{name}.yaml").read_bytes()))
    rows = feature_rows(workflow, data.training, data.snapshot)
    model = train.fit(rows, labels(data.training))
    (folder / "model.onnx").write_bytes(onnx_bytes(model, len(workflow.feature_names)))
    loaded = onnx.load(name, folder / "model.onnx")
    _write_table(table, workflow.feature_names, rows, loaded.run(list(rows)))
    replay = quality(loaded.run(list(feature_rows(workflow, data.replay, data.snapshot))), labels(data.replay))
    card = {"AUC": f"{replay.auc:.4f}", "BRIER": f"{replay.brier:.4f}", "FLIGHTS": f"{replay.n:,}"}
    (folder / "bundle.yaml").write_text(Template((SOURCE / f"{name}.yaml").read_text()).substitute(card))
    chosen = data.replay[:: len(data.replay) // GOLDEN][:GOLDEN]
    examples = (json.dumps(_golden(workflow, flight, data.snapshot)) for flight in chosen)
    (folder / "golden.jsonl").write_text("".join(f"{example}\n" for example in examples))
    return replay


def _write_table(path: Path, names: Sequence[str], rows: Rows, scores: Sequence[float]) -> None:
    """The training set as JSON Lines: features, missing ones as null, and the model's score."""
    with path.open("wb") as out:
        for row, score in zip(rows, scores, strict=True):
            record = {**dict(zip(names, row, strict=True)), "score": score}
            out.write(orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))


def _golden(workflow: Workflow, flight: Flight, snapshot: Snapshot) -> dict[str, Any]:
    """A flight's request with the facts that it finds, as a golden file wants it; `bundle golden` adds the answer."""
    settled = settled_facts(workflow, flight, snapshot)
    request = {"entity_id": flight.entity_id, "context": flight.context()}
    return {"request": request, "facts": settled, "expect": {"score": 0}, "tolerance": TOLERANCE}


def load_workflow(folder: Path, manifest: Manifest) -> Workflow:
    """The bundle folder's workflow, imported and set up as the runtime does it."""
    workflow = as_workflow(load_entry(folder, manifest))
    workflow.artifacts = {name: folder / artifact.path for name, artifact in manifest.artifacts.items()}
    workflow.setup({})
    return workflow


def _turnout(*words: str) -> str:
    command = [sys.executable, "-m", "turnout_runtime.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"turnout {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def labels(flights: Sequence[Flight]) -> npt.NDArray[np.bool_]:
    """[flights] bool: late or not."""
    return np.array([flight.late for flight in flights])
