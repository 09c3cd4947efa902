"""Whether the bundle's schemas, and the hash of them on its card, are those of its code."""

import json
from pathlib import Path

from turnout_runtime.bundle.schemas import Schema, check_same, feature_schema_hash
from turnout_runtime.bundle.source import Bundle
from turnout_runtime.errors import BundleInvalid, SchemaMismatch
from turnout_runtime.workflow import Workflow

HASH = "featureSchemaHash"


def check_schemas(workflow: Workflow, bundle: Bundle) -> None:
    """Raise `SchemaMismatch`, or `BundleInvalid` for a file that is no schema; what the bundle leaves out is not asked.

    The schemas are computed only where there is something to compare with.
    """
    schemas, recorded = bundle.manifest.schemas, bundle.manifest.card.get(HASH)
    if schemas.request is None and schemas.decision is None and recorded is None:
        return
    from turnout_runtime.workflow.schema import decision_schema, request_schema

    if schemas.request is not None:
        check_same(schemas.request, _read(bundle.folder, schemas.request), request_schema(workflow))
    if schemas.decision is not None:
        check_same(schemas.decision, _read(bundle.folder, schemas.decision), decision_schema(workflow))
    actual = feature_schema_hash(workflow.feature_names, request_schema(workflow))
    if recorded is not None and recorded != actual:
        raise SchemaMismatch(
            f"card.{HASH} is {recorded}, the code's is {actual}: feature_names or the request changed since the bundle"
            " was built; run `turnout bundle build` again"
        )


def _read(folder: Path, path: str) -> Schema:
    try:
        schema = json.loads((folder / path).read_bytes())
    except (ValueError, RecursionError):
        raise BundleInvalid(f"{path} is not JSON: let `turnout bundle build` write it") from None
    if not isinstance(schema, dict):
        raise BundleInvalid(f"{path} is not a JSON Schema: let `turnout bundle build` write it")
    return schema
