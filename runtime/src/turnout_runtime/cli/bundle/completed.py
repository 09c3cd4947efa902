"""What `build` adds to a copy of an author's folder: hashes of files, schemas of the code and their hash."""

import json
from pathlib import Path
from typing import Any

import yaml

from turnout_runtime.bundle.digest import digest_of
from turnout_runtime.bundle.manifest import FILE, check_files, parse
from turnout_runtime.bundle.schemas import feature_schema_hash
from turnout_runtime.bundle.source import Bundle
from turnout_runtime.bundle.tree import hash_folder
from turnout_runtime.cli.bundle.opened import loaded
from turnout_runtime.cli.progress import bar
from turnout_runtime.config import ModelServer
from turnout_runtime.errors import BundleInvalid
from turnout_runtime.loading.schemas import HASH
from turnout_runtime.workflow import Workflow
from turnout_runtime.workflow.schema import decision_schema, request_schema

REFERENCE = "reference.json"
_SCHEMAS = {"request": "schemas/request.json", "decision": "schemas/decision.json"}


def complete(copy: Path, server: ModelServer | None = None, table: str | None = None) -> tuple[int, str]:
    """Check the bundle in `copy` as a pod would and fill it in; how many golden examples hold, and its digest.

    What an earlier build filled in is replaced. `table` is what sketches for its reference are made of. Raises a
    `StartError`, and `EvaluationInvalid` for a table that cannot be.
    """
    document = yaml.load((copy / FILE).read_bytes(), Loader=yaml.BaseLoader)  # noqa: S506  # strings, as the runtime
    document.pop("schemas", None)
    document.setdefault("card", {}).pop(HASH, None)
    if table is not None and document.pop("reference", None) != REFERENCE and (copy / REFERENCE).exists():
        raise BundleInvalid(f"{REFERENCE} is another file of the bundle: rename it, the reference goes there")
    hashes = hash_folder(copy, bar)
    manifest = parse(_dumped(document))
    check_files(manifest, hashes)
    checked = loaded(Bundle(copy, manifest, digest_of(hashes)), server=server)
    if table is not None:
        _write_reference(copy, table, checked.workflow)
        document["reference"] = REFERENCE
    document["schemas"] = _SCHEMAS
    document["card"][HASH] = _write_schemas(copy, checked.workflow)
    _fill_in(document, hashes)
    (copy / FILE).write_bytes(_dumped(document))
    hashes = hash_folder(copy)
    check_files(parse(_dumped(document)), hashes)
    return checked.golden, digest_of(hashes)


def _write_schemas(copy: Path, workflow: Workflow) -> str:
    """Write both schemas; the hash for the card."""
    request = request_schema(workflow)
    for path, schema in ((_SCHEMAS["request"], request), (_SCHEMAS["decision"], decision_schema(workflow))):
        (copy / path).parent.mkdir(exist_ok=True)
        (copy / path).write_text(json.dumps(schema, indent=2) + "\n")
    return feature_schema_hash(workflow.feature_names, request)


def _write_reference(copy: Path, table: str, workflow: Workflow) -> None:
    from turnout_runtime.evaluation.drift.training import training
    from turnout_runtime.sketches.document import document

    sketches = training(table, workflow.feature_names)
    (copy / REFERENCE).write_text(json.dumps(document(sketches), separators=(",", ":")) + "\n")


def _fill_in(document: dict[str, Any], hashes: dict[str, str]) -> None:
    for group in ("models", "artifacts"):
        for entry in document.get(group, {}).values():
            if "path" in entry:
                entry["sha256"] = hashes[entry["path"]]


def _dumped(document: dict[str, Any]) -> bytes:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120).encode()
