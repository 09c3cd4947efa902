"""A bundle's reference: sketches of the table that its model was trained on, or of a log."""

from collections.abc import Iterator, Sequence

from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.evaluation.drift.columns import Column, Columns, columns
from turnout_runtime.evaluation.drift.reference import reference
from turnout_runtime.evaluation.records import Record
from turnout_runtime.sketches.bins import quantile_bins
from turnout_runtime.sketches.category import CategorySketch, known_categories
from turnout_runtime.sketches.document import Sketches
from turnout_runtime.sketches.number import NumberSketch


def training(place: str, names: Sequence[str]) -> Sketches:
    """Sketches of score, decision and the features of these names (none: all), each with bins of its own values.

    Raises `EvaluationInvalid` for a place that cannot be read, or has none of them.
    """
    found = sketched(columns(_trimmed(reference(place), names)))
    if not any(name.startswith("features.") for name in found):
        wanted = f": {', '.join(names)}" if names else ""
        raise EvaluationInvalid(f"--reference {place}: no column has the name of a feature{wanted}")
    return found


def sketched(found: Columns) -> Sketches:
    """Sketches of whole columns; those without values and those that are names of things are left out."""
    made = {name: sketch for name, column in found.items() if (sketch := _sketch(column)) is not None}
    order = {"score": 0, "decision": 1}
    return {name: made[name] for name in sorted(made, key=lambda name: order.get(name, 2))}


def _sketch(column: Column) -> NumberSketch | CategorySketch | None:
    if column.numeric:
        values = column.values()
        number = NumberSketch(quantile_bins(values), None, column.rows - len(values))
        number.observe_sorted(values)
        return number
    if column.is_name or not column.categories:
        return None
    missing = column.rows - column.categories.total()
    return CategorySketch(known_categories(column.categories), column.categories, 0, missing)


def _trimmed(records: Iterator[Record], names: Sequence[str]) -> Iterator[Record]:
    """What the sketches are of: the rest need not be held."""
    for record in records:
        features = record.get("features")
        if isinstance(features, dict):
            features = {name: features[name] for name in names or features if name in features}
        yield {"features": features, "score": record.get("score"), "decision": record.get("decision")}
