"""`turnout bundle build`: from an author's folder to a checked archive that says all about itself.

The author's folder stays as it is. What is built is a copy without tools' files, whose bundle.yaml also has the sha256
of every model and artifact, the schemas of the code, and their hash on the card.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from turnout_runtime.bundle.archive import pack
from turnout_runtime.bundle.digest import digest_of
from turnout_runtime.bundle.manifest import FILE, check_files, parse
from turnout_runtime.bundle.tree import hash_folder
from turnout_runtime.cli.bundle.files import check_output
from turnout_runtime.cli.parsers import Groups
from turnout_runtime.cli.progress import bar
from turnout_runtime.errors import BundleInvalid

_SCHEMAS = {"request": "schemas/request.json", "decision": "schemas/decision.json"}


def add_command(actions: Groups) -> None:
    """Register it."""
    build = actions.add_parser(
        "build",
        help="check a folder, fill in hashes and schemas, and write the .tar.gz for the cluster",
        description="Writes the archive and prints its digest. The folder is not changed.",
    )
    build.add_argument("folder", type=Path, metavar="DIR")
    build.add_argument(
        "-o", "--output", type=Path, metavar="OUT.tar.gz", help="by default NAME-VERSION.tar.gz beside the folder"
    )
    build.set_defaults(run=_build)


def _build(arguments: argparse.Namespace) -> None:
    from turnout_runtime.cli.bundle.opened import copied

    folder: Path = arguments.folder
    text = _text(folder)
    manifest = parse(text)
    out = arguments.output or folder.resolve().parent / f"{manifest.name}-{manifest.version}.tar.gz"
    check_output(folder, out)
    with copied(folder) as copy:
        held = _complete(copy, text)
        digest = digest_of(hash_folder(copy, bar))
        pack(copy, out, bar)
    golden = f"{held} golden examples hold" if held else "it has no golden examples"
    print(f"{manifest.name} {manifest.version}: {golden}; wrote {out} ({out.stat().st_size:,} bytes)", file=sys.stderr)
    print(digest)


def _text(folder: Path) -> bytes:
    if not (folder / FILE).is_file():
        raise BundleInvalid(f"no {FILE} in {folder}: `turnout bundle init NAME` writes a first one")
    return (folder / FILE).read_bytes()


def _complete(copy: Path, text: bytes) -> int:
    """Fill in what the code and the files say; returns how many golden examples hold. Raises a `StartError`."""
    from turnout_runtime.bundle.schemas import feature_schema_hash
    from turnout_runtime.bundle.source import Bundle
    from turnout_runtime.cli.bundle.opened import loaded
    from turnout_runtime.loading.schemas import HASH
    from turnout_runtime.workflow.schema import decision_schema, request_schema

    document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  # strings only, as the runtime reads it
    document.pop("schemas", None)
    document.setdefault("card", {}).pop(HASH, None)
    hashes = hash_folder(copy, bar)
    manifest = parse(_dumped(document))
    check_files(manifest, hashes)
    held = loaded(Bundle(copy, manifest, digest_of(hashes)))
    request = request_schema(held.workflow)
    document["card"][HASH] = feature_schema_hash(held.workflow.feature_names, request)
    document["schemas"] = _SCHEMAS
    _write_json(copy / _SCHEMAS["request"], request)
    _write_json(copy / _SCHEMAS["decision"], decision_schema(held.workflow))
    for group in ("models", "artifacts"):
        for entry in document.get(group, {}).values():
            if "path" in entry:
                entry["sha256"] = hashes[entry["path"]]
    (copy / FILE).write_bytes(_dumped(document))
    check_files(parse(_dumped(document)), hash_folder(copy))
    return held.golden


def _dumped(document: dict[str, Any]) -> bytes:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120).encode()


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")
