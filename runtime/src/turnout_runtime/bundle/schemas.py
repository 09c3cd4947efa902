"""What of a workflow's JSON Schemas is the author's own, and whether it is still what the bundle was built with. Pure.

The runtime's own fields around the author's, and words such as titles and descriptions, may change from one version
of the runtime to the next; they are no reason to refuse a bundle.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from turnout_runtime.errors import SchemaMismatch

Schema = dict[str, Any]
_OWN = ("context", "decision", "details")
_WORDS = frozenset({"title", "description", "examples", "$comment", "deprecated"})
_NAMES = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})


def own(schema: Schema) -> Schema:
    """The author's part of a request's or an answer's schema, without words."""
    properties = schema.get("properties")
    fields = {name: properties[name] for name in _OWN if name in properties} if isinstance(properties, dict) else {}
    part = _meaning({"properties": fields, "$defs": schema.get("$defs", {})})
    assert isinstance(part, dict)
    return part


def _meaning(node: Any, *, names: bool = False) -> Any:
    if isinstance(node, dict):
        kept = {key: value for key, value in node.items() if names or key not in _WORDS}
        return {key: _meaning(value, names=not names and key in _NAMES) for key, value in kept.items()}
    return [_meaning(value) for value in node] if isinstance(node, list) else node


def feature_schema_hash(feature_names: Sequence[str], request: Schema) -> str:
    """`sha256:<hex>` over the ordered names of the features and the author's part of the request's schema."""
    document = {"feature_names": list(feature_names), "request": own(request)}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def check_same(what: str, recorded: Schema, actual: Schema) -> None:
    """Raise `SchemaMismatch` that names the first place where the author's parts differ."""
    if place := _difference(own(recorded), own(actual), ""):
        raise SchemaMismatch(
            f"{what}: the code's schema is another one, at {place}: run `turnout bundle build` again, under another"
            " version if callers are affected"
        )


def _difference(one: Any, other: Any, place: str) -> str | None:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            where = key if not place else f"{place}.{key}"
            if key not in one or key not in other:
                return where
            if found := _difference(one[key], other[key], where):
                return found
        return None
    return None if one == other else place or "its root"
