"""Tensors as the protocol has them, and as numpy reads their bytes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from turnout_runtime.errors import InvalidRequest

MAX_ROWS = 1024
_NUMPY = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
DATATYPES = frozenset(_NUMPY) | {"BYTES"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named input: `data` has all its elements in row-major order; bytes elements are text already."""

    name: str
    datatype: str
    shape: Sequence[int]
    data: Sequence[Any]

    @property
    def rows(self) -> int:
        """Length of the first dimension."""
        return self.shape[0]

    def row(self, number: int) -> Any:
        """The value of one row: an element, or a list of them where a row has more than one."""
        width = len(self.data) // self.rows
        return self.data[number] if width == 1 else list(self.data[number * width : (number + 1) * width])


def tensor(name: Any, datatype: Any, shape: Any, data: Sequence[Any]) -> Tensor:
    """A checked tensor of shape [n] or [n, width]; raises `InvalidRequest` that names it."""
    if not isinstance(name, str) or not name:
        raise InvalidRequest("inputs: each needs a name")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise InvalidRequest(f"inputs.{name}.datatype: must be one of {', '.join(sorted(DATATYPES))}")
    if (
        not isinstance(shape, list | tuple)
        or len(shape) not in (1, 2)
        or not all(type(d) is int and d > 0 for d in shape)
    ):
        raise InvalidRequest(f"inputs.{name}.shape: must be [n] or [n, width], all of them at least 1")
    if shape[0] > MAX_ROWS:
        raise InvalidRequest(f"inputs.{name}.shape: at most {MAX_ROWS} rows at once")
    size = shape[0] * (shape[1] if len(shape) == 2 else 1)
    if len(data) != size:
        raise InvalidRequest(f"inputs.{name}: {len(data)} elements do not make the shape {list(shape)}")
    return Tensor(name, datatype, shape, data)


def flat(name: str, data: Any) -> list[Any]:
    """JSON data, nested or not, as a flat list."""
    if not isinstance(data, list):
        raise InvalidRequest(f"inputs.{name}.data: must be a list")
    if data and all(isinstance(row, list) for row in data):
        return [element for row in data for element in row]
    return data


def checked(name: str, datatype: str, data: Sequence[Any]) -> Sequence[Any]:
    """JSON elements of the type that they are said to have."""
    if datatype == "BYTES":
        wanted: tuple[type, ...] = (str,)
    elif datatype == "BOOL":
        wanted = (bool,)
    elif datatype.startswith("FP"):
        wanted = (float, int)
    else:
        wanted = (int,)
    if not all(type(element) in wanted for element in data):
        raise InvalidRequest(f"inputs.{name}.data: has elements that are no {datatype}")
    return data


def unpack(name: str, datatype: str, raw: bytes) -> list[Any]:
    """Elements from the protocol's binary form: little endian; bytes have their length in 4 bytes before them."""
    if datatype == "BYTES":
        return [text(name, element) for element in _split(name, raw)]
    import numpy as np

    kind = np.dtype(_NUMPY[datatype]) if datatype in _NUMPY else None
    if kind is None or len(raw) % kind.itemsize:
        raise InvalidRequest(f"inputs.{name}: {len(raw)} bytes are no {datatype}")
    elements: list[Any] = np.frombuffer(raw, kind).tolist()
    return elements


def _split(name: str, raw: bytes) -> list[bytes]:
    elements, place = [], 0
    while place < len(raw):
        end = place + 4 + int.from_bytes(raw[place : place + 4], "little")
        if end > len(raw) or place + 4 > len(raw):
            raise InvalidRequest(f"inputs.{name}: the lengths of its elements go beyond its bytes")
        elements.append(raw[place + 4 : end])
        place = end
    return elements


def text(name: str, element: bytes) -> str:
    """An element as text; raises `InvalidRequest`."""
    try:
        return element.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"inputs.{name}: an element is no UTF-8") from None


def pack(datatype: str, data: Sequence[Any]) -> bytes:
    """The binary form of an output."""
    if datatype == "BYTES":
        return b"".join(len(raw := element.encode()).to_bytes(4, "little") + raw for element in data)
    import numpy as np

    return np.array(data, _NUMPY[datatype]).tobytes()
