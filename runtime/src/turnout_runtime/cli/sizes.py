"""Sizes as people and Kubernetes write them. Pure."""

import re

_SIZE = re.compile(r"(\d+)(Ki|Mi|Gi|Ti|k|M|G|T)?")
_FACTORS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip


def bytes_of(text: str) -> int:
    """A size such as 512Ki, 1Mi or 100G in bytes; raises `ValueError` that says how one is written."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no size such as 512Ki, 1Mi or 100Gi")
    return int(found[1]) * _FACTORS[found[2] or ""]
