"""Build the champion's and the challenger's bundle: stage the files, train with the staged workflow, score, pack."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
import numpy.typing as npt

from flight_delay import train
from flight_delay.data import Flight
from flight_delay.export import onnx_bytes
from flight_delay.offline import Snapshot, feature_rows
from flight_delay.quality import Quality, quality
from turnout_runtime.bundle.archive import pack
from turnout_runtime.bundle.code import load_entry
from turnout_runtime.bundle.manifest import Manifest, parse
from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.workflow.entry import as_workflow
from turnout_runtime.models import onnx
from turnout_runtime.workflow import Workflow

SOURCE = Path(__file__).parents[1] / "bundle"
NAMES = ("champion", "challenger")


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
        folder = Path(staging)
        replay = _fill(folder, name, data)
        pack(folder, archive)
        return Bundle(name, archive, digest_folder(folder), replay)


def _fill(folder: Path, name: str, data: Data) -> Quality:
    shutil.copyfile(SOURCE / "workflow.py", folder / "workflow.py")
    (folder / "rates.json").write_text(train.to_json(train.late_rates(data.training)))
    workflow = load_workflow(folder, parse((SOURCE / f"{name}.yaml").read_bytes()))
    model = train.fit(feature_rows(workflow, data.training, data.snapshot), labels(data.training))
    (folder / "model.onnx").write_bytes(onnx_bytes(model, len(workflow.feature_names)))
    scores = onnx.load(name, folder / "model.onnx").run(list(feature_rows(workflow, data.replay, data.snapshot)))
    replay = quality(scores, labels(data.replay))
    card = {"AUC": f"{replay.auc:.4f}", "BRIER": f"{replay.brier:.4f}", "FLIGHTS": f"{replay.n:,}"}
    (folder / "bundle.yaml").write_text(Template((SOURCE / f"{name}.yaml").read_text()).substitute(card))
    return replay


def load_workflow(folder: Path, manifest: Manifest) -> Workflow:
    """The bundle folder's workflow, imported and set up as the runtime does it."""
    workflow = as_workflow(load_entry(folder, manifest))
    workflow.setup({})
    return workflow


def labels(flights: Sequence[Flight]) -> npt.NDArray[np.bool_]:
    """[flights] bool: late or not."""
    return np.array([flight.late for flight in flights])
