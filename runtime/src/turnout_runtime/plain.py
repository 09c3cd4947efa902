"""Writes down whatever Python has in a form that JSON can hold. For the rare record that JSON refuses: it is slow."""

from collections.abc import Mapping
from typing import Any

import orjson

_DEPTH = 64
_64_BITS = range(-(2**63), 2**64)


def plain(value: Any, depth: int = 0) -> Any:
    """The value in JSON's types; what has no place there, such as a huge integer, becomes text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value) if value in _64_BITS else _text(value)
    if value is None or isinstance(value, bool | float | orjson.Fragment):
        return value
    if depth < _DEPTH and isinstance(value, Mapping):
        return {_text(key): plain(part, depth + 1) for key, part in value.items()}
    if depth < _DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [plain(part, depth + 1) for part in value]
    if depth < _DEPTH and hasattr(value, "tolist"):  # numpy's
        return plain(value.tolist(), depth + 1)
    return _text(value)


def _text(value: object) -> str:
    try:
        return str(value).encode(errors="replace").decode()
    except Exception as error:  # of a foreign class, or a number with more digits than Python writes
        return f"<{type(value).__name__}: {type(error).__name__}>"
