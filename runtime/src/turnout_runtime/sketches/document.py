"""Sketches as JSON documents have them: a bundle's `reference.json`, and what a pod tells. See docs/drift.md.

Of edges there are the lowest float32 of each bin: their shortest decimals are a third of the exact edges' digits.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from turnout_runtime.sketches.bins import bins_of
from turnout_runtime.sketches.category import CategorySketch
from turnout_runtime.sketches.compare import Sketch, rows_of
from turnout_runtime.sketches.grid import LEVELS, GridSketch
from turnout_runtime.sketches.number import NumberSketch

SCHEMA_VERSION = 1
Sketches = dict[str, Sketch]
"""By the name of the column: `score`, `decision`, `features.wind`, …"""


def document(sketches: Mapping[str, Sketch]) -> dict[str, Any]:
    """All of them, for JSON."""
    columns = {name: _column(sketch) for name, sketch in sketches.items()}
    return {"schema_version": SCHEMA_VERSION, "rows": rows(sketches.values()), "columns": columns}


def rows(sketches: Iterable[Sketch]) -> int:
    """How many rows there were: the most that a column has seen."""
    return max(map(rows_of, sketches), default=0)


def parse(told: Any) -> Sketches:
    """The sketches of a document; raises `ValueError` that names the field."""
    version = told.get("schema_version") if isinstance(told, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema_version is {version!r}: these are no sketches that this version can read")
    columns = told.get("columns")
    if not isinstance(columns, dict):
        raise ValueError("columns: must be an object of sketches by name")
    return {name: _checked(name, column) for name, column in columns.items()}


def merged(one: Sketches, other: Sketches) -> Sketches:
    """What both have seen; raises `ValueError` naming the column whose sketches were not made alike."""
    found = {}
    for name in (*one, *(name for name in other if name not in one)):
        a, b = one.get(name), other.get(name)
        if a is None or b is None:
            found[name] = a or b
        elif type(a) is not type(b):
            raise ValueError(f"{name}: the sketches are of other kinds")
        else:
            found[name] = _merge(name, a, b)
    return {name: sketch for name, sketch in found.items() if sketch is not None}


def _merge(name: str, a: Any, b: Any) -> Sketch:
    try:
        together: Sketch = a.merged(b)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return together


def _column(sketch: Sketch) -> dict[str, Any]:
    missing = sketch.missing
    if isinstance(sketch, CategorySketch):
        fixed = sketch.known is not None
        return {
            "kind": "category", "fixed": fixed, "counts": sketch.counts, "others": sketch.others, "missing": missing
        }  # fmt: skip
    counts = sketch.counts.tolist()
    if isinstance(sketch, GridSketch):
        return {
            "kind": "grid", "level": sketch.level, "cells": sketch.cells.tolist(), "counts": counts, "missing": missing
        }  # fmt: skip
    bins = sketch.bins
    coarse = np.searchsorted(bins.array, np.array(bins.coarse, np.float64)).tolist()
    return {"kind": "number", "edges": bins.lowest, "coarse": coarse, "counts": counts, "missing": missing}


def _checked(name: str, column: Any) -> Sketch:
    try:
        return _parsed(column)
    except KeyError as error:
        raise ValueError(f"columns.{name}: {error.args[0]} is missing") from None
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"columns.{name}: {error}") from None


def _parsed(column: Mapping[str, Any]) -> Sketch:
    missing = _count(column["missing"])
    match column["kind"]:
        case "number":
            return NumberSketch(bins_of(column["edges"], column["coarse"]), _counts(column["counts"]), missing)
        case "grid":
            return _grid(column["level"], column["cells"], _counts(column["counts"]), missing)
        case "category":
            counts = dict(zip(column["counts"], _counts(column["counts"].values()), strict=True))
            known = tuple(sorted(counts)) if column["fixed"] else None
            return CategorySketch(known, counts, _count(column["others"]), missing)
    raise ValueError(f"kind {column['kind']!r} is none of number, grid, category")


def _grid(level: Any, cells: Sequence[Any], counts: Sequence[int], missing: int) -> GridSketch:
    places = np.array(cells, np.int64)
    ordered = len(places) == len(counts) and (np.diff(places) > 0).all()
    if type(level) is not int or not 0 <= level <= LEVELS or not ordered:
        raise ValueError(f"give a level of 0 to {LEVELS}, its cells in increasing order, and a count of each")
    return GridSketch(level, places, np.array(counts, np.int64), missing)


def _counts(values: Iterable[Any]) -> Sequence[int]:
    return [_count(value) for value in values]


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value
