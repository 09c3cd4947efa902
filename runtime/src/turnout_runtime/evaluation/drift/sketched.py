"""Sketches against sketches: of pods as they serve, of a bundle's reference, or of a log's columns."""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import aiohttp
import orjson

from turnout_runtime.bundle.remote.http import new_session, public
from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.evaluation.drift.columns import Columns
from turnout_runtime.evaluation.drift.compare import Shift, ordered
from turnout_runtime.sketches.category import CategorySketch
from turnout_runtime.sketches.compare import Sketch, distance, missing_rate, rows_of
from turnout_runtime.sketches.document import Sketches, merged, parse
from turnout_runtime.sketches.measures import ks_p_value

Document: TypeAlias = dict[str, Any]
_URLS = ("http://", "https://")


def is_sketches(place: str) -> bool:
    """Whether a place names sketches, and no log or table: a URL, or a .json file that holds them."""
    if place.startswith(_URLS):
        return True
    path = Path(place)
    if path.suffix != ".json" or not path.is_file():
        return False
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and "schema_version" in found and "columns" in found


def gathered(option: str, places: Sequence[str]) -> tuple[Sketches, Sketches]:
    """What all places have seen together, and the reference that the first of them names (none: empty).

    Raises `EvaluationInvalid` for a place without sketches, and for those that were not made alike.
    """
    documents = [_read(option, place) for place in places]
    together, own = parse(documents[0]), documents[0].get("reference")
    for place, document in zip(places[1:], documents[1:], strict=True):
        try:
            together = merged(together, parse(document))
        except ValueError as error:
            raise EvaluationInvalid(f"--{option} {_shown(place)}: {error}; give pods of one revision") from None
    return together, parse(own) if own else {}


def counted(found: Columns, like: Sketches) -> Sketches:
    """Sketches of a log's columns, each as that of the same name is made; others are left out."""
    made: Sketches = {}
    for name, column in found.items():
        if name in like:
            sketch = like[name].empty()
            if isinstance(sketch, CategorySketch):
                sketch.add(column.categories)
            else:
                sketch.observe_sorted(column.values())
            sketch.missing = column.rows - sketch.size
            made[name] = sketch
    return made


def shifts(reference: Sketches, current: Sketches) -> list[Shift]:
    """All columns that both have, those that moved most first."""
    shared = (name for name in current if name in reference)
    return ordered(shift for name in shared if (shift := _shift(name, reference[name], current[name])) is not None)


def _shift(name: str, before: Sketch, now: Sketch) -> Shift | None:
    found = distance(before, now)
    if found is None:
        return None
    rows, missing = (rows_of(before), rows_of(now)), (missing_rate(before), missing_rate(now))
    if isinstance(before, CategorySketch) or isinstance(now, CategorySketch) or found.ks is None:
        return Shift(name, "category", rows, missing, found.psi, found.by_chance)
    statistic, medians = found.ks[0], (before.histogram().quantile(0.5), now.histogram().quantile(0.5))
    p_value = ks_p_value(statistic, before.size, now.size) if not math.isnan(statistic) else math.nan
    return Shift(name, "number", rows, missing, found.psi, found.by_chance, statistic, p_value, medians)


def _read(option: str, place: str) -> Document:
    """The document at a place, checked; raises `EvaluationInvalid`."""
    try:
        text = asyncio.run(_fetch(place)) if place.startswith(_URLS) else Path(place).read_bytes()
        document: Document = orjson.loads(text)
        parse(document)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise EvaluationInvalid(f"--{option} {_shown(place)}: cannot be read ({reason})") from None
    except ValueError as error:
        raise EvaluationInvalid(
            f"--{option} {_shown(place)}: {error}; give a pod's :8081/sketches, or a bundle's reference.json"
        ) from None
    return document


async def _fetch(url: str) -> bytes:
    where = f"{url.rstrip('/')}/sketches" if urlsplit(url).path in ("", "/") else url
    async with new_session() as session, session.get(where, raise_for_status=True) as response:
        return await response.read()


def _shown(place: str) -> str:
    return public(place) if place.startswith(_URLS) else place
