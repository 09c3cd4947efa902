"""What shipped files are called. Pure.

`<kind>/namespace=…/objective=…/hour=2026-11-22T13/<pod>-<segment>.parquet`, with values as Hive writes them. A name
follows from the rows and their segment alone, so a segment that is shipped again replaces its files.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, unquote

from turnout_runtime.log.segments import Kind

NONE, OTHER = "__none__", "__other__"
MOST = 64
"""Partitions that one segment is split into; the rows of further objectives share `__other__`."""
_LONGEST = 200  # of a value: a folder's name has at most 255 bytes
_NAME = re.compile(r"(predictions|feedback)/namespace=([^/]+)/objective=([^/]+)/hour=([^/]+)/[^/]+\.parquet")


class Rows(NamedTuple):
    """How many rows of a segment have these values; `hour` is `2026-11-22T13`, in UTC."""

    namespace: str | None
    objective: str | None
    hour: str | None
    count: int


class Partition(NamedTuple):
    """Where rows of one kind, objective and hour are; None is no value."""

    kind: Kind
    namespace: str | None
    objective: str | None
    hour: datetime | None


def escaped(value: str | None) -> str:
    """A partition's value as the name of a folder; a very long one is cut, and told apart by a hash."""
    if not value:
        return NONE
    text = quote(value, safe="")
    if text in (".", ".."):
        return text.replace(".", "%2E")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 33]}~{sha256(value.encode()).hexdigest()[:32]}"


def folder(kind: Kind, namespace: str | None, objective: str | None, hour: str | None) -> str:
    """The folder of a partition, below the root of a sink."""
    return f"{kind}/namespace={escaped(namespace)}/objective={escaped(objective)}/hour={escaped(hour)}"


def folders(kind: Kind, rows: Sequence[Rows]) -> list[str]:
    """The folder for each; beyond `MOST` partitions, those with the fewest rows share one for each namespace and hour.

    Callers make up objectives, and a million folders help nobody.
    """
    order = sorted(range(len(rows)), key=lambda i: (-rows[i].count, *(value or "" for value in rows[i][:3])))
    small = set(order[MOST:])
    return [folder(kind, row.namespace, OTHER if i in small else row.objective, row.hour) for i, row in enumerate(rows)]


def file_name(pod: str, stem: str) -> str:
    """The name in each folder of a segment's file."""
    return f"{escaped(pod)}-{stem}.parquet"


def partition_of(name: str) -> Partition | None:
    """Which partition a file below a sink's root belongs to; None for what is no shipped file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    kind: Kind = "feedback" if match[1] == "feedback" else "predictions"
    return Partition(kind, _value(match[2]), _value(match[3]), _hour(match[4]))


def prefixes(scopes: Iterable[tuple[str | None, str | None]]) -> list[str]:
    """Folders of both kinds with all that there is of these namespaces and objectives."""
    found = {f"namespace={escaped(namespace)}/objective={escaped(objective)}/" for namespace, objective in scopes}
    return [f"{kind}/{below}" for kind in ("predictions", "feedback") for below in sorted(found)]


def _value(text: str) -> str | None:
    return None if text == NONE else unquote(text)


def _hour(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)
    except ValueError:
        return None
