"""Does a live object already hold all that we want of it?"""

from typing import Any

from turnout_operator.api.common import parse_quantity

HASH_ANNOTATION = "serving.turnout.dev/manifest-hash"
_NOT_COMPARED = frozenset({"apiVersion", "kind"})


_QUANTITIES = frozenset({"resources", "sizeLimit"})


def contains(live: Any, desired: Any, *, quantities: bool = False) -> bool:
    """True when every field of `desired` is in `live` with an equal value; fields that others added don't matter.

    Lists are compared item by item and must be of equal length. What the desired state no longer mentions is found by
    the manifest's hash annotation, which is one of the desired fields. Below `resources` and `sizeLimit` strings are
    compared as quantities, since the API server rewrites `1024Mi` to `1Gi`.
    """
    if live == desired:
        return True
    # Parsed JSON is made of dict and list; asking for abstract classes would cost more than the comparison.
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(
            key in live and contains(live[key], value, quantities=quantities or key in _QUANTITIES)
            for key, value in desired.items()
            if key not in _NOT_COMPARED
        )
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(contains(have, want, quantities=quantities) for have, want in zip(live, desired, strict=True))
        )
    return quantities and _same_quantity(live, desired)


def _same_quantity(live: Any, desired: Any) -> bool:
    try:
        return parse_quantity(live) == parse_quantity(desired)
    except ValueError:
        return False
