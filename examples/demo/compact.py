"""JSON for people: what fits stays on one line, flat objects fill lines, the rest is indented. Pure."""

import json
from collections.abc import Iterator
from typing import Any


def compact(value: Any, width: int, indent: int = 0, start: int = 0) -> str:
    """JSON text of at most about `width` columns, for a value whose text starts in column `start`."""
    line = json.dumps(value, ensure_ascii=False)
    fits = start + len(line) <= width
    if not isinstance(value, dict) or not value or (fits and indent):
        return line
    inner = indent + 2
    if indent and not any(isinstance(item, dict) for item in value.values()):
        lines = _filled(value, width - inner)
    else:
        keys = {key: f"{json.dumps(key)}: " for key in value}
        lines = (keys[key] + compact(item, width, inner, inner + len(keys[key])) for key, item in value.items())
    body = f",\n{' ' * inner}".join(lines)
    return f"{{\n{' ' * inner}{body}\n{' ' * indent}}}"


def _filled(flat: dict[str, Any], width: int) -> Iterator[str]:
    """The items of a flat object, as many to a line as fit."""
    line = ""
    for key, item in flat.items():
        text = f"{json.dumps(key)}: {json.dumps(item, ensure_ascii=False)}"
        if line and len(line) + len(text) + 3 > width:
            yield line
            line = text
        else:
            line = f"{line}, {text}" if line else text
    yield line
