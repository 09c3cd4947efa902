"""The protocol over REST, with the binary tensor data extension."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from turnout_runtime.errors import InvalidRequest, RequestError
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.serve.api.body import unpacked
from turnout_runtime.serve.api.endpoint import Endpoint, Handler
from turnout_runtime.serve.api.replies import Replies
from turnout_runtime.serve.http1 import Request, respond
from turnout_runtime.serve.http1.app import Answer
from turnout_runtime.serve.http1.connection import Connection
from turnout_runtime.serve.oip.service import OUTPUTS, Inference, Inferred
from turnout_runtime.serve.oip.tensors import DATATYPES, Tensor, checked, flat, pack, tensor, unpack
from turnout_runtime.serve.served import Served

_MODEL = re.compile(r"/v2/models/([^/]{1,253})(?:/versions/([^/]{1,253}))?(/ready|/infer)?")
_LENGTH = "inference-header-content-length"
_OCTETS = b"application/octet-stream"


class Rest:
    """Endpoints below `/v2`."""

    def __init__(self, inference: Inference, dataplane: Dataplane, replies: Replies, served: Served) -> None:
        self._inference, self._dataplane, self._replies, self._served = inference, dataplane, replies, served

    def endpoint(self, objective: str | None, path: str) -> Endpoint | None:
        """The endpoint of a path; None when it is none of the protocol's. Raises `NotFound` for another model."""
        match path:
            case "/v2" | "/v2/":
                return _get(objective, lambda request, _: self._json(request, self._inference.server()))
            case "/v2/health/live":
                return _get(objective, lambda request, _: self._json(request, {"live": True}))
            case "/v2/health/ready":
                return _get(objective, self._ready)
        match = _MODEL.fullmatch(path)
        return None if match is None else self._model(objective, match[1], match[2] or "", match[3])

    def _model(self, objective: str | None, name: str, version: str, action: str | None) -> Endpoint:
        self._inference.check_model(name, version, objective)
        if action == "/ready":
            return _get(objective, self._ready)
        if action is None:
            return _get(objective, lambda request, _: self._json(request, self._inference.model(name)))
        post: Handler = lambda request, _: self._begin(request, name)  # noqa: E731  # typed as what it is
        return Endpoint(objective or self._served.model_deployment, {b"POST": post}, limited=True, oip=True)

    def _ready(self, request: Request, _: Connection) -> bytes:
        if self._inference.ready:
            return self._json(request, {"ready": True})
        self._replies.settle(request)
        return respond(request, 503, b"application/json", b'{"ready":false}', self._replies.lines)

    def _json(self, request: Request, document: Mapping[str, Any]) -> bytes:
        return self._replies.json(request, orjson.dumps(document))

    def _begin(self, request: Request, name: str) -> bytes | Answer:
        try:
            if "content-encoding" in request.headers:
                request.body = unpacked(request, self._served.max_body)
            call = _Call(request)
        except RequestError as error:
            return self._replies.failure(request, self._dataplane.refuse(request.route, error))
        return self._infer(request, name, call)

    async def _infer(self, request: Request, name: str, call: "_Call") -> bytes:
        try:
            inferred = await self._inference.infer(
                request.route, call.tensors, call.id, tuple(call.outputs), request.started
            )
        except RequestError as error:
            return self._replies.failure(request, self._dataplane.refuse(request.route, error))
        if inferred.failed is not None:
            return self._replies.failure(request, inferred.failed)
        head, binary = self._outputs(inferred, call)
        body: dict[str, Any] = {"model_name": name, "model_version": self._served.revision, "outputs": head}
        if call.id is not None:
            body["id"] = call.id
        text = orjson.dumps(body)
        if not binary:
            return self._replies.json(request, text)
        self._replies.settle(request)
        lines = self._replies.lines + b"Inference-Header-Content-Length: %d\r\n" % len(text)
        return respond(request, 200, _OCTETS, text + binary, lines)

    def _outputs(self, inferred: Inferred, call: "_Call") -> tuple[list[dict[str, Any]], bytes]:
        head, binary = [], b""
        for name, data in inferred.outputs.items():
            output: dict[str, Any] = {"name": name, "datatype": OUTPUTS[name], "shape": [inferred.rows]}
            if call.outputs.get(name, call.binary):
                raw = pack(OUTPUTS[name], data)
                binary += raw
                output["parameters"] = {"binary_data_size": len(raw)}
            else:
                output["data"] = data
            head.append(output)
        return head, binary


class _Call:
    """A parsed inference request. `outputs` are the names that are asked for, each with whether it shall be binary."""

    def __init__(self, request: Request) -> None:
        text, self._rest = _split(request)
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidRequest(f"the body is not JSON: {error}") from None
        self.id = _member(document, "id", str)
        self.binary = bool(_parameters(document, "parameters").get("binary_data_output", False))
        self.tensors = [self._tensor(entry) for entry in _entries(document, "inputs")]
        self.outputs = dict(_wanted(document, self.binary))
        if self._rest:
            raise InvalidRequest(f"the body has {len(self._rest)} bytes that no input takes")

    def _tensor(self, entry: dict[str, Any]) -> Tensor:
        name, datatype, shape = entry.get("name"), entry.get("datatype"), entry.get("shape")
        if not isinstance(name, str) or not isinstance(datatype, str) or datatype not in DATATYPES:
            tensor(name, datatype, shape, ())  # raises, saying what is wrong
        assert isinstance(name, str)
        assert isinstance(datatype, str)
        size = _parameters(entry, f"inputs.{name}.parameters").get("binary_data_size")
        if size is None:
            return tensor(name, datatype, shape, checked(name, datatype, flat(name, entry.get("data"))))
        if type(size) is not int or not 0 <= size <= len(self._rest):
            raise InvalidRequest(f"inputs.{name}.parameters.binary_data_size: the body has no such part")
        raw, self._rest = self._rest[:size], self._rest[size:]
        return tensor(name, datatype, shape, unpack(name, datatype, raw))


def _get(objective: str | None, handler: Handler) -> Endpoint:
    return Endpoint(objective or "", {b"GET": handler}, oip=True)


def _split(request: Request) -> tuple[bytes, bytes]:
    """JSON, and what follows it."""
    length = request.headers.get(_LENGTH)
    if length is None:
        return request.body, b""
    if not length.isascii() or not length.isdigit() or len(length) > 9 or int(length) > len(request.body):
        raise InvalidRequest(f"{_LENGTH}: is not the length of a part of the body")
    return request.body[: int(length)], request.body[int(length) :]


def _member(document: Any, name: str, kind: type) -> Any:
    if not isinstance(document, dict):
        raise InvalidRequest("the body is not a JSON object")
    value = document.get(name)
    if value is not None and not isinstance(value, kind):
        raise InvalidRequest(f"{name}: has the wrong type")
    return value


def _parameters(document: Any, name: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InvalidRequest("the body is not a JSON object")
    value = document.get("parameters")
    if value is not None and not isinstance(value, dict):
        raise InvalidRequest(f"{name}: must be a JSON object")
    return value or {}


def _entries(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entries = _member(document, name, list)
    if not all(isinstance(entry, dict) for entry in entries or ()):
        raise InvalidRequest(f"{name}: must be a list of JSON objects")
    return entries or []


def _wanted(document: dict[str, Any], binary: bool) -> Iterator[tuple[str, bool]]:
    for entry in _entries(document, "outputs"):
        name = entry.get("name")
        if not isinstance(name, str):
            raise InvalidRequest("outputs: each needs a name")
        yield name, bool(_parameters(entry, f"outputs.{name}.parameters").get("binary_data", binary))
