"""From a tuple that DuckDB gave to the object it stands for. Pure."""

from collections.abc import Sequence
from typing import Any

import orjson

from turnout_runtime.offline.columns import Values


def as_object(values: Values, row: Sequence[Any]) -> dict[str, Any]:
    """The object of a row that holds `values.sql`; raises `ValueError` for text that is no JSON object."""
    if values.names:
        found = dict(zip(values.names, row, strict=True))
        for index in values.nested:
            name = values.names[index]
            if found[name] is not None:
                found[name] = orjson.loads(found[name])
        return found
    if row and row[0] is None:
        raise ValueError("the line cannot be parsed")
    found = orjson.loads(row[0]) if row else {}
    if not isinstance(found, dict):
        raise ValueError("the line is not a JSON object")
    for name in values.without:
        found.pop(name, None)
    return found
