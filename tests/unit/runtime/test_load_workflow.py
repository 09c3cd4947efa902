import asyncio
from pathlib import Path

import pytest
from tests.unit.runtime.builders import MANIFEST, WORKFLOW, write_bundle

from turnout_runtime.bundle.manifest import parse
from turnout_runtime.bundle.source import Bundle
from turnout_runtime.config import Serving
from turnout_runtime.errors import BundleInvalid, StartError, WorkflowImportError, WorkflowSetupFailed
from turnout_runtime.loading import load_workflow
from turnout_runtime.loading import workflow as steps
from turnout_runtime.models.load import load_models as real_load_models
from turnout_runtime.models.model import Loaded, Model

MODELS = MANIFEST + b"models: {m: {path: m.onnx, format: onnx}}\n"
HEAD = b"from turnout_runtime.workflow import Decision, Workflow\n\n"


class Runs:
    """Models without a file, which note the batches that they ran."""

    def __init__(self, width: int | None) -> None:
        self.width, self.batches = width, list[tuple[int, int]]()

    def load(self, folder: Path, *_: object) -> dict[str, Model]:
        return {"m": Model("m", folder, Loaded(self._run, self.width))}

    def _run(self, rows: object) -> list[float]:
        assert isinstance(rows, list)
        self.batches.append((len(rows), len(rows[0])))
        return [0.0] * len(rows)


def _bundle(tmp: Path, body: bytes, manifest: bytes = MODELS) -> Bundle:
    """A bundle whose class `Made` has this body besides `decide`."""
    code = WORKFLOW.replace(b"    def decide", body + b"\n    def decide")
    folder = write_bundle(tmp, bundle_yaml=manifest, workflow_py=code, m_onnx=b"")
    return Bundle(folder, parse(manifest), "sha256:aa")


def _serving(concurrency: int) -> Serving:
    limits = {"maxQueueDepth": 0, "maxQueueWaitSeconds": 1, "timeoutSeconds": 1, "drainSeconds": 0}
    return Serving.model_validate({"concurrency": concurrency, **limits})


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs(2)
    monkeypatch.setattr(steps, "load_models", made.load)
    return made


async def test_the_model_is_warmed_after_setup(tmp_path: Path, runs: Runs) -> None:
    body = b"    def setup(self, models):\n        self.model, self.feature_names = 'm', ('a', 'b')\n"
    loaded = await load_workflow(_bundle(tmp_path, body), _serving(16))
    assert loaded.workflow.model == "m"
    assert list(loaded.workflow.models) == ["m"]
    assert set(runs.batches) == {(1, 2), (16, 2)}


async def test_an_async_setup_runs_on_the_serving_loop(tmp_path: Path, runs: Runs) -> None:
    body = (
        b"    async def setup(self, models):\n        import asyncio\n        self.loop = asyncio.get_running_loop()\n"
    )
    loaded = await load_workflow(_bundle(tmp_path, body), _serving(1))
    assert loaded.workflow.loop is asyncio.get_running_loop()  # type: ignore[attr-defined]


async def test_a_setup_that_hands_out_what_is_to_be_awaited_is_awaited(tmp_path: Path, runs: Runs) -> None:
    body = (
        b"    def setup(self, models):\n        return self.later()\n"
        b"    async def later(self):\n        self.done = True\n"
    )
    loaded = await load_workflow(_bundle(tmp_path, body), _serving(1))
    assert loaded.workflow.done  # type: ignore[attr-defined]


async def test_a_model_that_only_predict_uses_is_warmed_too(tmp_path: Path, runs: Runs) -> None:
    await load_workflow(_bundle(tmp_path, b""), _serving(4))
    assert set(runs.batches) == {(1, 2), (4, 2)}


GOLDEN = b'{"request": {"context": {}}, "expect": {"decision": "made", "score": 0}}\n'


async def test_golden_examples_are_not_counted_as_anybodys_rows(tmp_path: Path, runs: Runs) -> None:
    body = b"    model, feature_names = 'm', ('a', 'b')\n    def features(self, ctx): return [1.0, 2.0]\n"
    bundle = _bundle(tmp_path, body, MODELS + b"golden: golden.jsonl\n")
    (tmp_path / "golden.jsonl").write_bytes(GOLDEN)
    before = len(runs.batches)
    loaded = await load_workflow(bundle, _serving(1))
    assert (loaded.golden, len(runs.batches) > before) == (1, True)
    stats = loaded.workflow.models["m"].stats
    assert (stats.batches, stats.rows, stats.last_batch, stats.seconds.sum) == (0, 0, 0, 0.0)


async def test_models_of_a_workflow_that_fails_are_closed(
    tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    async def close(model: Model) -> None:
        closed.append(model.name)

    monkeypatch.setattr(Model, "close", close)
    with pytest.raises(WorkflowSetupFailed):
        await load_workflow(_bundle(tmp_path, b"    def setup(self, m):\n        1 / 0\n"), _serving(1))
    assert closed == ["m"]


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b"    model, feature_names = 'n', ('a',)\n", BundleInvalid, "model is 'n'; bundle.yaml has m"),
        (b"    model = 'm'\n", WorkflowSetupFailed, "needs feature_names"),
        (b"    model, feature_names = 'm', ('a',)\n", WorkflowSetupFailed, "takes 2 features, feature_names has 1"),
        (b"    def __init__(self):\n        1 / 0\n", WorkflowSetupFailed, r"Made\(\): workflow\.py:6: ZeroDiv"),
        (b"    def setup(self, m):\n        1 / 0\n", WorkflowSetupFailed, r"setup\(\): workflow\.py:6: ZeroDiv"),
        (b"    def __init__(self):\n        exit(3)\n", WorkflowSetupFailed, r"Made\(\): workflow\.py:6: SystemExit"),
        (b"    def setup(self, m):\n        exit(3)\n", WorkflowSetupFailed, r"setup\(\): workflow\.py:6: SystemExit"),
        (b"    async def setup(self, m):\n        1 / 0\n", WorkflowSetupFailed, r"setup\(\): workflow\.py:6: ZeroD"),
    ],
)
async def test_a_workflow_that_cannot_serve_says_why(
    tmp_path: Path, runs: Runs, body: bytes, kind: type[StartError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        await load_workflow(_bundle(tmp_path, body), _serving(1))


async def test_a_workflow_without_decide_cannot_be_made(tmp_path: Path, runs: Runs) -> None:
    folder = write_bundle(tmp_path, workflow_py=HEAD + b"class Made(Workflow):\n    pass\n")
    with pytest.raises(WorkflowImportError, match=r"Made has no decide\(\)"):
        await load_workflow(Bundle(folder, parse(MANIFEST), "sha256:aa"), _serving(1))


def test_a_model_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match=r"models\.m\.path: no file 'm\.onnx'"):
        real_load_models(tmp_path, parse(MODELS))
