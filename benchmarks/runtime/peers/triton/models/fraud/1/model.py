"""Triton's Python backend with dynamic batching: the whole workflow for all payments of a batch at once."""

import os
import sys
from typing import Any

sys.path[:0] = os.environ["BENCH_PYTHONPATH"].split(os.pathsep)  # the backend's interpreter ignores PYTHONPATH

import numpy as np  # noqa: E402
import orjson  # noqa: E402
import triton_python_backend_utils as triton  # noqa: E402
from fraud import Model  # noqa: E402


class TritonPythonModel:
    def initialize(self, arguments: dict[str, str]) -> None:
        self.model = Model()

    def execute(self, requests: list[Any]) -> list[Any]:
        tensors = [triton.get_input_tensor_by_name(request, "payment").as_numpy().reshape(-1) for request in requests]
        answers = iter(self.model.answers([orjson.loads(text) for tensor in tensors for text in tensor]))
        return [triton.InferenceResponse([_tensor([next(answers) for _ in tensor])]) for tensor in tensors]


def _tensor(answers: list[dict[str, Any]]) -> Any:
    texts = np.array([orjson.dumps(answer) for answer in answers], dtype=np.object_)
    return triton.Tensor("answer", texts.reshape(-1, 1))
