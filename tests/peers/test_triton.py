"""Models on a real Triton: answers, its refusals, its slowness and its death."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.integration.runtime.process import config_for, running, serving
from tests.peers.triton_program import Triton, write_model
from tests.unit.runtime.builders import MANIFEST, write_bundle

from turnout_runtime.bundle.manifest import Manifest, parse
from turnout_runtime.config import Batching, ModelServer
from turnout_runtime.errors import (
    BundleInvalid,
    ConfigInvalid,
    ModelServerNotReady,
    ModelUnavailable,
    RequestTimeout,
    StartError,
    WorkflowError,
)
from turnout_runtime.models.load import load_models, warm
from turnout_runtime.models.model import Model
from turnout_runtime.models.triton import ready

# Sums each row; sleeps as many seconds as its last column says, and fails where the first is 666.
CODE = """
import time
import numpy as np
import triton_python_backend_utils as pb

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb.get_input_tensor_by_name(request, "x").as_numpy()
            time.sleep(float(x[:, -1].max()))
            if (x[:, 0] == 666).any():
                answers.append(pb.InferenceResponse(error=pb.TritonError("cannot stand 666")))
                continue
            total = x.sum(axis=1, dtype=np.float32).reshape(-1, 1)
            size = np.full_like(total, len(x))
            outputs = [pb.Tensor("score", total), pb.Tensor("size", size)]
            wanted = request.requested_output_names()
            answers.append(pb.InferenceResponse([each for each in outputs if each.name() in wanted]))
        return answers
"""
BROKEN = "class TritonPythonModel:\n    def initialize(self, args):\n        raise ValueError('no such weights')\n"
ONE = "output [{ name: 'score' data_type: TYPE_FP32 dims: [1] }]"
TWO = "output [{ name: 'score' data_type: TYPE_FP32 dims: [1] }, { name: 'size' data_type: TYPE_FP32 dims: [1] }]"
WIDE = 16384


def _io(dims: str, more: str, kind: str = "FP32") -> str:
    return f"input [{{ name: 'x' data_type: TYPE_{kind} dims: {dims} }}]\n{more}".replace("'", '"')


def _repository(folder: Path) -> Path:
    write_model(folder, "sum", CODE, "max_batch_size: 8\n" + _io("[4]", ONE))
    write_model(folder, "two", CODE, _io("[-1, 4]", TWO.replace("dims: [1]", "dims: [-1, 1]")))
    write_model(folder, "pair", CODE, "max_batch_size: 8\ninstance_group [{ count: 2 }]\n" + _io("[4]", ONE))
    write_model(folder, "wide", CODE, "max_batch_size: 8\n" + _io(f"[{WIDE}]", ONE))
    write_model(folder, "text", CODE, "max_batch_size: 8\n" + _io("[4]", ONE, "STRING"))
    write_model(folder, "broken", BROKEN, "max_batch_size: 8\n" + _io("[4]", ONE))
    return folder


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    server = Triton(_repository(tmp_path_factory.mktemp("triton") / "models"))
    server.start()
    try:
        server.wait_listening()
        yield server
    finally:
        server.kill()


def _manifest(model: str, more: str = "") -> Manifest:
    return parse(MANIFEST + f"models: {{m: {{format: triton, model: {model}{more}}}}}\n".encode())


def _server(url: str, shared: bool = False) -> ModelServer:
    return ModelServer.model_validate({"triton": {"url": url, "sharedMemory": shared}})


def _load(triton: Triton, model: str, more: str = "", *, shared: bool = False, **batching: Any) -> Model:
    chosen = Batching.model_validate(batching)
    return load_models(Path("/nowhere"), _manifest(model, more), chosen, _server(triton.url, shared))["m"]


async def _all(model: Model, rows: Any, remaining: float | None = 10.0) -> list[Any]:
    return await asyncio.gather(*(model.score(row, remaining) for row in rows), return_exceptions=True)


async def test_every_row_gets_its_own_answer(triton: Triton) -> None:
    model = _load(triton, "sum")
    assert (model.width, model.max_size) == (4, 8)
    assert model.about["runtime"].startswith("triton 2.")
    assert (model.about["model"], model.about["version"]) == ("sum", "1")
    warm(model, 4, 64, ("a", "b", "c", "d"))
    rows = [[float(n), 1.0, 1.0, 0.0] for n in range(40)]
    assert await _all(model, rows) == [n + 2.0 for n in range(40)]
    assert model.stats.rows == 40
    assert model.stats.batches < 40
    await model.close()


async def test_the_output_that_the_manifest_names_of_a_model_without_batch_dimension(triton: Triton) -> None:
    model = _load(triton, "two", ", output: size, version: '1'")
    assert await _all(model, [[1.0, 0.0, 0.0, 0.0]] * 20) == [20.0] * 20
    await model.close()
    with pytest.raises(BundleInvalid, match=r"models\.m: needs an output 'probabilities'.* it has score, size"):
        _load(triton, "two")


async def test_a_row_that_the_model_fails_on_fails_alone(triton: Triton) -> None:
    model = _load(triton, "sum")
    rows = [[666.0 if n == 3 else float(n), 0.0, 0.0, 0.0] for n in range(8)]
    results = await _all(model, rows)
    assert [n for n, result in enumerate(results) if result != float(n)] == [3]
    assert isinstance(results[3], WorkflowError)
    assert "cannot stand 666" in str(results[3])
    await model.close()


async def test_two_instances_work_at_the_same_time(triton: Triton) -> None:
    model = _load(triton, "pair", maxSize=1)
    started = time.monotonic()
    assert await _all(model, [[0.0, 0.0, 0.0, 0.5]] * 2) == [0.5, 0.5]
    assert time.monotonic() - started < 0.95
    await model.close()


async def test_slowness_is_told_within_the_deadline(triton: Triton) -> None:
    model = _load(triton, "sum", maxSize=1)
    started = time.monotonic()
    slow, quick = [0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]
    behind = asyncio.create_task(_all(model, [slow], 0.2))
    await asyncio.sleep(0.05)  # sent together, either could be the first to run
    results = [*await _all(model, [quick], 0.2), *await behind]
    assert [type(result) for result in results] == [RequestTimeout, RequestTimeout]
    assert 0.15 < time.monotonic() - started < 0.45
    await asyncio.sleep(1.0)
    assert await model.score(quick, 1.0) == 1.0
    await model.close()


async def test_a_big_batch_goes_through_shared_memory(triton: Triton) -> None:
    from tritonclient.grpc import aio

    before = set(os.listdir("/dev/shm"))
    model = _load(triton, "wide", shared=True)
    rows = np.random.default_rng(0).integers(0, 2, (20, WIDE)).astype(np.float32)
    rows[:, -1] = 0
    for _ in range(3):
        assert await _all(model, list(rows)) == rows.sum(axis=1).tolist()
    async with aio.InferenceServerClient(triton.url) as client:
        regions = (await client.get_system_shared_memory_status()).regions
        assert 1 <= len(regions) <= 2  # one for each batch on the way
        assert not {name for name in set(os.listdir("/dev/shm")) - before if name.startswith("turnout-")}
        await model.close()
        assert not (await client.get_system_shared_memory_status()).regions


@pytest.mark.parametrize(
    ("model", "more", "kind", "told"),
    [
        ("nothing", "", ModelServerNotReady, r"no model 'nothing' in its repository; there are broken.*sum 1"),
        ("sum", ", version: '7'", ModelServerNotReady, "no model 'sum' version 7 in its repository"),
        ("broken", "", ModelServerNotReady, "model 'broken' is not ready: version 1 is UNAVAILABLE.*no such weights"),
        ("text", "", BundleInvalid, r"models\.m: input 'x' is BYTES; features are numbers"),
        ("sum", ", output: other", BundleInvalid, r"models\.m\.output: no output 'other'; it has score"),
    ],
)
def test_models_that_cannot_be_served_say_why(
    triton: Triton, model: str, more: str, kind: type[StartError], told: str
) -> None:
    started = time.monotonic()
    with pytest.raises(kind, match="(?s)" + told):
        _load(triton, model, more)
    assert time.monotonic() - started < 3


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "READY_SECONDS", 0.5)
    with pytest.raises(ModelServerNotReady, match=r"models\.m: Triton at 127\.0\.0\.1:9: no answer"):
        load_models(Path("/nowhere"), _manifest("sum"), None, _server("127.0.0.1:9"))
    with pytest.raises(ConfigInvalid, match=r"modelServer\.triton\.url is needed"):
        load_models(Path("/nowhere"), _manifest("sum"))


def test_shared_memory_with_another_machine_is_refused(triton: Triton) -> None:
    elsewhere = _server(f"ip6-localhost.invalid:{triton.port}", shared=True)
    from turnout_runtime.models.triton.load import _check_shared_memory

    with pytest.raises(ConfigInvalid, match=r"modelServer\.triton\.sharedMemory: .* is not on this machine"):
        _check_shared_memory(None, elsewhere.triton.url)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Triton]:
    """A server of this test's own."""
    server = Triton(tmp_path / "models")
    write_model(tmp_path / "models", "sum", CODE, "max_batch_size: 8\n" + _io("[4]", ONE))
    write_model(tmp_path / "models", "wide", CODE, "max_batch_size: 8\n" + _io(f"[{WIDE}]", ONE))
    server.start()
    try:
        yield server
    finally:
        server.kill()


async def _within(seconds: float, score: Callable[[], Any], row: Any, expected: float) -> float:
    """Seconds until the row has its score again."""
    started = time.monotonic()
    while True:
        try:
            assert await score()(row, 0.5) == expected
            return time.monotonic() - started
        except (ModelUnavailable, RequestTimeout):
            assert time.monotonic() - started < seconds
            await asyncio.sleep(0.02)


async def test_a_server_that_dies_and_comes_back(mortal: Triton) -> None:
    row, wide = [1.0, 2.0, 3.0, 0.0], [1.0] * (WIDE - 1) + [0.0]
    model = await asyncio.to_thread(_load, mortal, "sum")  # waits until the server has started
    big = await asyncio.to_thread(_load, mortal, "wide", shared=True)
    assert await model.score(row, 1.0) == 6.0
    assert await _all(big, [wide] * 8) == [WIDE - 1.0] * 8

    mortal.signal(signal.SIGSTOP)
    started = time.monotonic()
    assert {type(result) for result in await _all(model, [row] * 20, 0.2)} == {RequestTimeout}
    assert time.monotonic() - started < 0.4
    mortal.signal(signal.SIGCONT)
    assert await _within(5.0, lambda: model.score, row, 6.0) < 2.0

    slow = asyncio.create_task(_all(model, [[0.0, 0.0, 0.0, 3.0]], 2.0))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    mortal.kill()
    assert {type(result) for result in await slow} == {ModelUnavailable}
    results = await _all(model, [row] * 20, 0.5)
    assert {type(result) for result in results} <= {ModelUnavailable, RequestTimeout}
    assert time.monotonic() - started < 1.0
    assert {str(result) for result in results} == {"model 'm': its server is not available"}

    mortal.start()
    await asyncio.to_thread(mortal.wait_listening)
    assert await _within(5.0, lambda: model.score, row, 6.0) < 5.0
    await _within(5.0, lambda: big.score, wide, WIDE - 1.0)
    assert await _all(big, [wide] * 8) == [WIDE - 1.0] * 8
    await model.close()
    await big.close()


FLOWS = b"""
from turnout_runtime.workflow import Decision, Workflow

class Made(Workflow):
    model = "m"
    feature_names = ("a", "b", "c", "wait")

    def features(self, ctx):
        return [ctx.request.context[name] for name in self.feature_names]

    def decide(self, ctx, score):
        return Decision("high" if score > 10 else "low", score, 1.0)
"""


def test_a_pod_whose_model_is_on_a_triton(mortal: Triton, tmp_path: Path) -> None:
    manifest = MANIFEST + b"models: {m: {format: triton, model: sum}}\n"
    bundle = write_bundle(tmp_path / "bundle", bundle_yaml=manifest, workflow_py=FLOWS)
    config = config_for(
        tmp_path, bundle, modelServer={"triton": {"url": mortal.url}}, serving=serving(timeoutSeconds=0.5)
    )
    asked = {"a": 5, "b": 6, "c": 0.5, "wait": 0}
    with running(tmp_path, config) as runtime:
        answer = runtime.predict(asked)
        assert (answer.status, answer.body["decision"], answer.body["score"]) == (200, "high", 11.5)
        started = time.monotonic()
        late = runtime.predict({**asked, "wait": 2})
        assert (late.status, late.body["type"].rpartition("/")[2]) == (504, "timeout")
        assert time.monotonic() - started < 0.8
        mortal.kill()
        gone = runtime.predict(asked)
        assert (gone.status, gone.body["type"].rpartition("/")[2]) == (503, "model-unavailable")
        assert str(mortal.port) not in gone.body["detail"]
        assert runtime.terminate() == 0
