"""The Open Inference Protocol over REST and gRPC, spoken by Triton's own clients."""

import gzip
import http.client
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tests.integration.runtime.flights import Pod, pod
from tests.integration.runtime.test_serving_api import call, flight
from tests.integration.runtime.wire import Wire, wait_for
from tritonclient.utils import InferenceServerException

from turnout_runtime.serve.oip.grpc import GrpcDoor
from turnout_runtime.serve.oip.service import Inference
from turnout_runtime.serve.ports import Ports
from turnout_runtime.serve.readiness import Phase

MODEL = "/v2/models/delay-model"
Door = tuple[Wire, Pod]


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    with pod(timeoutSeconds=0.5) as made:
        yield made


@pytest.fixture(scope="module")
def client(door: Door) -> Iterator[triton_grpc.InferenceServerClient]:
    wire, made = door
    served = GrpcDoor(Inference(made.plane, made.readiness, made.served), made.plane, made.readiness, made.served)
    port = wire.call(served.listen, Ports("127.0.0.1", grpc=0), None)
    client = triton_grpc.InferenceServerClient(f"127.0.0.1:{port}")
    yield client
    client.close()
    wire.call(served.close, 1.0)


def tensor(name: str, datatype: str, *data: Any, shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": list(data), **more}


def infer(door: Door, *inputs: dict[str, Any], path: str = MODEL, **more: Any) -> tuple[int, dict[str, str], Any]:
    return call(door[0], "POST", f"{path}/infer", json.dumps({"inputs": inputs, **more}).encode())


def outputs(body: Any) -> dict[str, list[Any]]:
    return {output["name"]: output["data"] for output in body["outputs"]}


@pytest.mark.parametrize("prefix", ["", "/v1/demo/delay"])
def test_health_and_metadata(door: Door, prefix: str) -> None:
    assert call(door[0], "GET", f"{prefix}/v2/health/live")[2] == {"live": True}
    assert call(door[0], "GET", f"{prefix}/v2/health/ready")[2] == {"ready": True}
    assert call(door[0], "GET", f"{prefix}{MODEL}/ready")[0] == 200
    server = call(door[0], "GET", f"{prefix}/v2")[2]
    assert server["name"] == "turnout"
    model = call(door[0], "GET", f"{prefix}{MODEL}/versions/delay-1")[2]
    assert (model["name"], model["versions"]) == ("delay-model", ["delay-1"])
    types = {entry["name"]: entry["datatype"] for entry in model["inputs"]}
    assert types == {
        "request": "BYTES", "entity_id": "BYTES", "request_id": "BYTES", "features": "FP64",
        "carrier": "BYTES", "minutes": "INT64", "distance": "FP64", "kind": "BYTES",
    }  # fmt: skip


def test_another_model_or_version_is_not_found(door: Door) -> None:
    for path in ("/v2/models/other", f"{MODEL}/versions/2", "/v2/models/other/ready", "/v2/nothing"):
        assert call(door[0], "GET", path)[0] == 404
    assert infer(door, tensor("minutes", "INT64", 1), path="/v2/models/other")[0] == 404


def test_rows_of_json_requests(door: Door) -> None:
    rows = [flight(minutes=10, request_id="r-1").decode(), flight(minutes=20).decode()]
    status, _, body = infer(door, tensor("request", "BYTES", *rows), id="call-1")
    assert status == 200
    assert (body["model_name"], body["model_version"], body["id"]) == ("delay-model", "delay-1", "call-1")
    found = outputs(body)
    assert (found["score"], found["decision"]) == ([0.01, 0.02], ["on_time", "late"])
    assert found["fallback_used"] == [False, False]
    assert found["prediction_id"] == [prediction.prediction_id for prediction in door[1].predictions[-2:]]
    first = door[1].predictions[-2].request
    assert first is not None
    assert first.request_id == "r-1"


def test_a_tensor_for_each_field(door: Door) -> None:
    status, _, body = infer(
        door,
        tensor("carrier", "BYTES", "UA", "AA", shape=[2, 1]),
        tensor("minutes", "INT64", [30], [40], shape=[2, 1]),
        tensor("entity_id", "BYTES", "plane-1", "plane-2"),
        outputs=[{"name": "score"}, {"name": "answer"}],
        path="/v1/demo/delay/v2/models/delay",
    )
    assert status == 200
    assert outputs(body)["score"] == [0.03, 0.04]
    assert json.loads(outputs(body)["answer"][1])["details"] == {"minutes": 40.0}
    asked = [prediction.request for prediction in door[1].predictions[-2:]]
    assert [made.entity_id for made in asked if made] == ["plane-1", "plane-2"]
    assert door[1].predictions[-1].route.objective == "delay"


def test_features_themselves(door: Door) -> None:
    status, _, body = infer(door, tensor("features", "FP32", 50.0, 1.0, 60.0, 1.0, shape=[2, 2]))
    assert (status, outputs(body)["score"]) == (200, [0.05, 0.06])
    status, _, body = infer(door, tensor("features", "FP64", 50.0, shape=[1, 1]))
    assert status == 400
    assert "features" in body["error"]


def test_the_first_failure_is_the_whole_calls(door: Door) -> None:
    status, headers, body = infer(door, tensor("request", "BYTES", flight().decode(), '{"context":{}}'))
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert body["error"] == body["detail"]
    assert "context.carrier" in body["error"]


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ([], "inputs"),
        ([tensor("minutes", "INT64", 1, 2), tensor("carrier", "BYTES", "x")], "inputs.carrier.shape"),
        ([tensor("minutes", "INT64", 1.5)], "inputs.minutes.data"),
        ([tensor("minutes", "INT64", 1, shape=[2])], "inputs.minutes"),
        ([tensor("minutes", "INT64", 1, shape=[1, 1, 1])], "inputs.minutes.shape"),
        ([tensor("minutes", "INT999", 1)], "inputs.minutes.datatype"),
        ([tensor("request", "BYTES", "{")], "inputs.request"),
        ([tensor("request", "BYTES", "{}"), tensor("minutes", "INT64", 1)], "inputs.request"),
        ([tensor("request", "BYTES", '{"features":[1,2]}')], "inputs.request"),
        ([tensor("minutes", "INT64", *range(2000))], "at most 1024 rows"),
    ],
)
def test_wrong_tensors_are_named(door: Door, inputs: list[dict[str, Any]], told: str) -> None:
    status, _, body = infer(door, *inputs)
    assert status == 400
    assert told in body["detail"]


def test_more_rows_than_executions_do_not_overrun_the_queue(door: Door) -> None:
    status, _, body = infer(door, tensor("carrier", "BYTES", *["A"] * 500), tensor("minutes", "INT64", *range(500)))
    assert status == 200
    assert outputs(body)["score"] == [number / 1000 for number in range(500)]


def test_binary_tensors(door: Door) -> None:
    raw = np.array([10, 20], "<i8").tobytes() + b"\x02\0\0\0UA\x02\0\0\0AA"
    entries = [
        {"name": "minutes", "datatype": "INT64", "shape": [2], "parameters": {"binary_data_size": 16}},
        {"name": "carrier", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 12}},
    ]
    asked = [{"name": "score", "parameters": {"binary_data": True}}, {"name": "decision"}]
    head = json.dumps({"inputs": entries, "outputs": asked}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Encoding": "gzip"}
    connection = http.client.HTTPConnection("127.0.0.1", door[0].port, timeout=5)
    connection.request("POST", f"{MODEL}/infer", gzip.compress(head + raw), headers)
    response = connection.getresponse()
    content, length = response.read(), int(response.headers["Inference-Header-Content-Length"])
    connection.close()
    assert np.frombuffer(content[length:], "<f8").tolist() == [0.01, 0.02]
    assert json.loads(content[:length])["outputs"][1]["data"] == ["on_time", "late"]


# -- gRPC


def inputs(**tensors: Any) -> list[triton_grpc.InferInput]:
    made = []
    for name, values in tensors.items():
        array = np.array(values, object) if isinstance(values[0], str | bytes) else np.array(values)
        datatype = "BYTES" if array.dtype == object else {"int64": "INT64", "float64": "FP64"}[str(array.dtype)]
        made.append(triton_grpc.InferInput(name, list(array.shape), datatype))
        made[-1].set_data_from_numpy(array)
    return made


def test_grpc_health_and_metadata(door: Door, client: triton_grpc.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("delay-model")
    assert client.get_server_metadata().name == "turnout"
    model = client.get_model_metadata("delay-model", "delay-1")
    assert [entry.name for entry in model.outputs][:2] == ["score", "decision"]
    door[1].readiness.phase = Phase.DRAINING
    assert not client.is_server_ready()
    door[1].readiness.phase = Phase.READY


def test_grpc_inference(door: Door, client: triton_grpc.InferenceServerClient) -> None:
    result = client.infer("delay-model", inputs(minutes=[10, 20], carrier=["UA", "AA"]), request_id="call-2")
    assert result.as_numpy("score").tolist() == [0.01, 0.02]
    assert result.as_numpy("decision").tolist() == [b"on_time", b"late"]
    assert result.as_numpy("fallback_used").tolist() == [False, False]
    assert result.get_response().model_version == "delay-1"
    assert result.get_response().id == "call-2"
    whole = client.infer("delay-model", inputs(request=[flight(minutes=30).decode()]))
    assert whole.as_numpy("score").tolist() == [0.03]
    features = client.infer("delay-model", inputs(features=[[40.0, 1.0]]))
    assert features.as_numpy("score").tolist() == [0.04]


def test_grpc_takes_the_objective_and_the_route_from_metadata(
    door: Door, client: triton_grpc.InferenceServerClient
) -> None:
    metadata = {"x-turnout-objective": "demo/delay", "x-turnout-arm": "stable", "x-request-id": "r-5"}
    client.infer("delay", inputs(minutes=[1], carrier=["UA"]), headers=metadata)
    route = door[1].predictions[-1].route
    assert (route.objective, route.arm, route.request_id) == ("delay", "stable", "r-5")


@pytest.mark.parametrize(
    ("model", "tensors", "status"),
    [
        ("other", {"minutes": [1]}, "StatusCode.NOT_FOUND"),
        ("delay-model", {"minutes": [1]}, "StatusCode.INVALID_ARGUMENT"),
        ("delay-model", {"request": ["{"]}, "StatusCode.INVALID_ARGUMENT"),
        ("delay-model", {"minutes": [1], "carrier": ["!fails"]}, "StatusCode.INTERNAL"),
        ("delay-model", {"minutes": [1], "carrier": ["!hang"]}, "StatusCode.DEADLINE_EXCEEDED"),
    ],
)
def test_grpc_errors(
    client: triton_grpc.InferenceServerClient, model: str, tensors: dict[str, Any], status: str
) -> None:
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, inputs(**tensors))
    assert caught.value.status() == status
    assert "s3cret" not in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_grpc_deadline_is_the_requests_and_a_caller_that_gives_up_cancels_it(
    door: Door, client: triton_grpc.InferenceServerClient
) -> None:
    before = len(door[1].predictions)
    with pytest.raises(InferenceServerException) as caught:
        client.infer("delay-model", inputs(minutes=[1], carrier=["!hang"]), client_timeout=0.1)
    assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    wait_for(lambda: len(door[1].predictions) > before, 0.3)
    assert door[1].predictions[-1].error_type in ("CallerGone", "timeout")


def test_a_method_that_is_not_there_is_unimplemented(client: triton_grpc.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException) as caught:
        client.get_model_config("delay-model")
    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
