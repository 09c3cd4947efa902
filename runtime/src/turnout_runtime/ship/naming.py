"""What shipped files are called. Pure.

`<kind>/namespace=…/objective=…/hour=2026-11-22T13/<pod>-<segment>.parquet`, with values as Hive writes them. A name
follows from the rows and their segment alone, so a segment that is shipped again replaces its files.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from turnout_runtime.log.segments import KINDS, Kind

NONE, OTHER = "__none__", "__other__"
MOST = 64
"""Partitions that one segment is split into; the rows of further objectives share `__other__`."""
_LONGEST = 200  # of a value: a folder's name has at most 255 bytes
_NAME = re.compile(r"(?:predictions|feedback)/(namespace=[^/]+/objective=[^/]+)/hour=([^/]+)/[^/.][^/]*\.parquet")


class Rows(NamedTuple):
    """How many rows of a segment have these values; `hour` is `2026-11-22T13`, in UTC."""

    namespace: str | None
    objective: str | None
    hour: str | None
    rows: int


class Place(NamedTuple):
    """Where a shipped file is: `namespace=…/objective=…`, of any kind, and its hour in UTC (None: nobody knows)."""

    scope: str
    hour: datetime | None


def escaped(value: str | None) -> str:
    """A partition's value as the name of a folder; a very long one is cut, and told apart by a hash."""
    if not value:
        return NONE
    text = quote(value, safe="")
    if text in (".", ".."):
        return text.replace(".", "%2E")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 33]}~{sha256(value.encode()).hexdigest()[:32]}"


def scope(namespace: str | None, objective: str | None) -> str:
    """The part of a folder's name that says whose rows are in it."""
    return f"namespace={escaped(namespace)}/objective={escaped(objective)}"


def folder(kind: Kind, namespace: str | None, objective: str | None, hour: str | None) -> str:
    """The folder of a partition, below the root of a sink."""
    return f"{kind}/{scope(namespace, objective)}/hour={escaped(hour)}"


def folders(kind: Kind, rows: Sequence[Rows]) -> list[str]:
    """The folder for each; beyond `MOST` partitions, those with the fewest rows share one for each namespace and hour.

    Callers make up objectives, and a million folders help nobody.
    """
    order = sorted(range(len(rows)), key=lambda i: (-rows[i].rows, *(value or "" for value in rows[i][:3])))
    small = set(order[MOST:])
    return [folder(kind, row.namespace, OTHER if i in small else row.objective, row.hour) for i, row in enumerate(rows)]


def file_name(pod: str, stem: str) -> str:
    """The name in each folder of a segment's file."""
    return f"{escaped(pod)}-{stem}.parquet"


def place_of(name: str) -> Place | None:
    """Where the file of this name below a sink's root belongs; None for what is no shipped file."""
    match = _NAME.fullmatch(name)
    return None if match is None else Place(match[1], _hour(match[2]))


def prefixes(scopes: Iterable[str] | None) -> list[str]:
    """Folders with all that there is of these, or at all, of both kinds."""
    if scopes is None:
        return [f"{kind}/" for kind in KINDS]
    return [f"{kind}/{scope}/" for kind in KINDS for scope in sorted(scopes)]


def _hour(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)
    except ValueError:
        return None
