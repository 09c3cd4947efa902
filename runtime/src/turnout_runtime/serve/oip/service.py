"""The protocol's calls, whatever they come by."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import orjson

from turnout_runtime.errors import InvalidRequest, NotFound
from turnout_runtime.predict.answer import answer
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.serve.oip.documents import documents
from turnout_runtime.serve.oip.tensors import Tensor
from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.serve.served import Served

OUTPUTS = {
    "score": "FP64",
    "decision": "BYTES",
    "confidence": "FP64",
    "fallback_used": "BOOL",
    "prediction_id": "BYTES",
    "answer": "BYTES",
}
"""Outputs and their types; `answer` is the JSON answer whole, and comes only when it is asked for by name."""

_DEFAULT = tuple(name for name in OUTPUTS if name != "answer")
_PLATFORM = "turnout_workflow"
_TYPES = {"integer": "INT64", "number": "FP64", "string": "BYTES", "boolean": "BOOL"}


@dataclass(frozen=True, slots=True)
class Inferred:
    """Outputs by name, each with an element a row; or the prediction that failed."""

    outputs: Mapping[str, Sequence[Any]]
    rows: int
    failed: Prediction | None = None


class Inference:
    """Answers the protocol's calls from the dataplane."""

    def __init__(self, dataplane: Dataplane, readiness: Readiness, served: Served) -> None:
        self._dataplane, self._readiness, self._served = dataplane, readiness, served
        self._places = asyncio.Semaphore(max(1, served.concurrency))

    @property
    def ready(self) -> bool:
        """Whether requests should come."""
        return self._readiness.phase is Phase.READY

    def check_model(self, name: str, model_version: str, objective: str | None) -> None:
        """Raise `NotFound` for a model that is not the ModelDeployment (or objective) that is served here."""
        if name not in (self._served.model_deployment, objective):
            raise NotFound(f"the model here is {self._served.model_deployment!r}")
        if model_version not in ("", self._served.revision):
            raise NotFound(f"the version here is {self._served.revision!r}")

    def server(self) -> dict[str, Any]:
        """Server metadata."""
        return {"name": "turnout", "version": version("turnout-runtime"), "extensions": ["binary_tensor_data"]}

    def model(self, name: str) -> dict[str, Any]:
        """Model metadata."""
        return {
            "name": name,
            "versions": [self._served.revision],
            "platform": _PLATFORM,
            "inputs": self._inputs(),
            "outputs": [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in OUTPUTS.items()],
        }

    def _inputs(self) -> list[dict[str, Any]]:
        workflow = self._dataplane.workflow
        inputs = [_input("request", "BYTES"), _input("entity_id", "BYTES"), _input("request_id", "BYTES")]
        if workflow.feature_names:
            inputs.append(_input("features", "FP64", len(workflow.feature_names)))
        schema = workflow.context_model.model_json_schema() if workflow.context_model else {}
        for name, field in schema.get("properties", {}).items():
            if field.get("type") in _TYPES:
                inputs.append(_input(name, _TYPES[field["type"]]))
        return inputs

    def route(self, route: Route) -> Route:
        """A route whose objective is the deployment's own name where the call has none."""
        return route if route.objective else route._replace(objective=self._served.model_deployment)

    async def infer(
        self, route: Route, tensors: Sequence[Tensor], request_id: str | None, names: Sequence[str], started: float
    ) -> Inferred:
        """One prediction a row, `names` (none: all) of their parts; the first failure is the whole call's.

        Raises `InvalidRequest` for what are no rows.
        """
        if unknown := [name for name in names if name not in OUTPUTS]:
            raise InvalidRequest(f"outputs: there is no {unknown[0]!r}; there are {', '.join(OUTPUTS)}")
        asked = documents(tensors, request_id)
        if len(asked) == 1:
            predictions = [await self._dataplane.predict(route, asked[0], started=started)]
        else:
            predictions = await self._all(route, asked, started)
        failed = next((prediction for prediction in predictions if prediction.error is not None), None)
        if failed is not None:
            return Inferred({}, len(asked), failed)
        return Inferred({name: self._output(name, predictions) for name in names or _DEFAULT}, len(asked))

    async def _all(self, route: Route, asked: Sequence[dict[str, Any]], started: float) -> list[Prediction]:
        """No more at once than there are executions: the rows of one call must not overrun the queue."""

        async def one(document: dict[str, Any]) -> Prediction:
            async with self._places:
                return await self._dataplane.predict(route, document, started=started)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(document)) for document in asked]
        return [task.result() for task in tasks]

    def _output(self, name: str, predictions: Sequence[Prediction]) -> list[Any]:
        if name == "answer":
            revision = self._served.revision
            option = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
            return [orjson.dumps(answer(prediction, revision), option=option).decode() for prediction in predictions]
        if name in ("prediction_id", "fallback_used"):
            return [getattr(prediction, name) for prediction in predictions]
        return [getattr(prediction.decision, name) for prediction in predictions]


def _input(name: str, datatype: str, *width: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1, *width]}
