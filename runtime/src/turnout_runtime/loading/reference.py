"""The bundle's reference: what training looked like, in sketches that serving can be compared with."""

from typing import TYPE_CHECKING

import orjson

from turnout_runtime.bundle.source import Bundle
from turnout_runtime.errors import BundleInvalid, SchemaMismatch
from turnout_runtime.workflow import Workflow

if TYPE_CHECKING:
    from turnout_runtime.sketches.document import Sketches

_MAX_BYTES = 4 * 1024**2
_AGAIN = "let `turnout bundle build --reference TABLE` write it"


def read_reference(workflow: Workflow, bundle: Bundle) -> "Sketches | None":
    """The sketches of bundle.yaml's `reference`; None where there is none.

    Raises `BundleInvalid` for a file that holds no sketches, and `SchemaMismatch` for those of other features.
    """
    path = bundle.manifest.reference
    if path is None:
        return None
    from turnout_runtime.sketches.document import parse

    file = bundle.folder / path
    if file.stat().st_size > _MAX_BYTES:
        raise BundleInvalid(f"{path} is larger than {_MAX_BYTES} bytes: {_AGAIN}")
    try:
        sketches = parse(orjson.loads(file.read_bytes()))
    except ValueError as error:
        raise BundleInvalid(f"{path}: {error}: {_AGAIN}") from None
    known = {"score", "decision", *(f"features.{name}" for name in workflow.feature_names)}
    if workflow.feature_names and (unknown := sorted(sketches.keys() - known)):
        raise SchemaMismatch(f"{path} has {', '.join(unknown)}, which the workflow does not have: {_AGAIN}")
    return sketches
