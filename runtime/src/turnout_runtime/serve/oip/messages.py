"""The protocol's protobuf messages, and tensors in them.

The messages come with tritonclient, whose package imports a whole client that this side does not need: 16 MB of
memory and a third of a second. So only the two modules of messages are imported.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from turnout_runtime.errors import InvalidRequest
from turnout_runtime.serve.oip.tensors import Tensor, pack, tensor, text, unpack

_PACKAGE = "tritonclient.grpc"
_FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def messages() -> ModuleType | None:
    """The module of the messages; None where gRPC is not installed."""
    parent = find_spec("tritonclient")
    if parent is None or find_spec("grpc") is None:
        return None
    known = sys.modules.get(_PACKAGE)
    if known is None:
        stand_in = ModuleType(_PACKAGE)
        stand_in.__path__ = [f"{folder}/grpc" for folder in parent.submodule_search_locations or ()]
        sys.modules[_PACKAGE] = stand_in
    try:
        return import_module(f"{_PACKAGE}.service_pb2")
    finally:
        if known is None:
            del sys.modules[_PACKAGE]  # whoever wants the client imports it as if nothing had been


def tensors(request: Any) -> list[Tensor]:
    """The inputs of a ModelInferRequest; raises `InvalidRequest`."""
    inputs, raw = request.inputs, request.raw_input_contents
    if raw and len(raw) != len(inputs):
        raise InvalidRequest(f"raw_input_contents: {len(raw)} for {len(inputs)} inputs")
    return [_tensor(entry, raw[number] if raw else None) for number, entry in enumerate(inputs)]


def _tensor(entry: Any, raw: bytes | None) -> Tensor:
    name, datatype, shape = entry.name, entry.datatype, list(entry.shape)
    if datatype not in _FIELDS and raw is None:
        raise InvalidRequest(f"inputs.{name}.datatype: {datatype[:32]!r} has no contents")
    if raw is not None:
        return tensor(name, datatype, shape, unpack(name, datatype, raw))
    data: Sequence[Any] = getattr(entry.contents, _FIELDS[datatype])
    if datatype == "BYTES":
        return tensor(name, datatype, shape, [text(name, element) for element in data])
    return tensor(name, datatype, shape, list(data))


def fill(response: Any, name: str, datatype: str, data: Sequence[Any]) -> None:
    """Add one output to a ModelInferResponse; in raw form, the only one that all clients read."""
    response.outputs.add(name=name, datatype=datatype, shape=[len(data)])
    response.raw_output_contents.append(pack(datatype, data))


def metadata(target: Any, described: Mapping[str, Any]) -> Any:
    """A ModelMetadataResponse from the document of the same names."""
    target.name, target.platform = described["name"], described["platform"]
    target.versions.extend(described["versions"])
    for part in ("inputs", "outputs"):
        for entry in described[part]:
            getattr(target, part).add(name=entry["name"], datatype=entry["datatype"], shape=entry["shape"])
    return target
