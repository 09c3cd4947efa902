"""From tensors to prediction requests, one a row. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from turnout_runtime.errors import InvalidRequest
from turnout_runtime.serve.oip.tensors import Tensor

Document = dict[str, Any]
_IDS = ("entity_id", "request_id")


def documents(tensors: Sequence[Tensor], request_id: str | None) -> list[Document]:
    """The rows' requests; raises `InvalidRequest`. `request_id` names a request of a single row."""
    by_name = {tensor.name: tensor for tensor in tensors}
    if not tensors or len(by_name) != len(tensors):
        raise InvalidRequest("inputs: needs at least one tensor, and each name once")
    rows = tensors[0].rows
    for tensor in tensors:
        if tensor.rows != rows:
            raise InvalidRequest(f"inputs.{tensor.name}.shape: has {tensor.rows} rows, others have {rows}")
    made = _whole(by_name) if "request" in by_name else [_row(by_name, number) for number in range(rows)]
    if request_id and rows == 1:
        made[0].setdefault("request_id", request_id)
    return made


def _whole(tensors: Mapping[str, Tensor]) -> list[Document]:
    tensor = tensors["request"]
    if len(tensors) > 1 or tensor.datatype != "BYTES":
        raise InvalidRequest("inputs.request: is a BYTES tensor of JSON prediction requests, and comes alone")
    made = [_parsed("request", element) for element in tensor.data]
    if any("features" in document for document in made):
        raise InvalidRequest("inputs.request: features come as a tensor of their own")
    return made


def _row(tensors: Mapping[str, Tensor], number: int) -> Document:
    document: Document = {"context": {}}
    for name, tensor in tensors.items():
        value = tensor.row(number)
        if name in _IDS:
            document[name] = value
        elif name == "feature_refs":
            document[name] = _parsed(name, value)
        elif name == "features" and tensor.datatype in ("FP32", "FP64"):
            document[name] = value if isinstance(value, list) else [value]
        else:
            document["context"][name] = value
    return document


def _parsed(name: str, element: Any) -> Document:
    try:
        value = orjson.loads(element)
    except (orjson.JSONDecodeError, TypeError) as error:
        raise InvalidRequest(f"inputs.{name}: an element is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidRequest(f"inputs.{name}: an element is not a JSON object")
    return value
