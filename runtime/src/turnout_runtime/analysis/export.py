"""Training sets: what the model saw when it answered, and what came of it.

Nothing from after the answer gets in but the label: features are those of the record, never fetched anew; a label is
taken by its own time, never one older than the decision, nor one that was not known at `as_of`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson

from turnout_runtime.analysis.join import MATCHED, Join
from turnout_runtime.analysis.query import appearing
from turnout_runtime.errors import LogInvalid
from turnout_runtime.offline.sql import literal, quoted

_COLUMNS = "prediction_id", "entity_id", "time", "revision", "arm", "propensity", "fallback", "score", "decision"
_FORMATS = {".parquet": "parquet", ".csv": "csv"}
PREFIX = "feature."


@dataclass(frozen=True, slots=True)
class Exported:
    """Rows that were written; answers that were left out as they have no features (remembered ones) or no label."""

    rows: int
    without_features: int
    without_label: int
    features: int


def export(join: Join, path: Path, *, fallbacks: bool, context: bool) -> Exported:
    """Write labelled answers by time; completes the join's counts. Raises `LogInvalid` when there is none.

    Columns: those of the decision, `feature.<name>` (DOUBLE), label, reward, label_time; with `context` also context
    and facts as JSON. Shadows are left out, and without `fallbacks` so are answers that rest on one.
    """
    kind = _FORMATS.get(path.suffix)
    if kind is None:
        raise LogInvalid(f"{path}: write to a name that ends in {' or '.join(_FORMATS)}")
    answers = _answers(join, fallbacks, context)
    counted = _count(join, answers)
    if not counted.names:
        raise LogInvalid("no answer in this log has features")
    once = " QUALIFY row_number() OVER (PARTITION BY n) = 1" if counted.doubled else ""
    rows = f"SELECT *, {answers.unpacked(counted.names)} AS unpacked FROM {answers.table}"
    labelled = f"{rows} WHERE features IS NOT NULL AND n IS NOT NULL{once}"
    columns = [*_COLUMNS, *answers.each(counted.names), *(["context", "facts"] if context else [])]
    select = f"SELECT {', '.join(columns)}, label, reward, label_time FROM ({labelled}) ORDER BY time, prediction_id"
    with appearing(path, join.source) as beside:
        copy = f"COPY ({select}) TO {literal(str(beside))} (FORMAT {kind})"
        (written,) = join.connection.execute(copy).fetchone()
        if not written:
            raise LogInvalid("no answer in this log has features and a label: see `turnout log labels`")
    return Exported(int(written), counted.without_features, counted.without_label, len(counted.names))


class _Answers(NamedTuple):
    """All answers with flags and labels as a table to be read twice; `json` says how it has the features."""

    table: str
    json: bool

    @property
    def keys(self) -> str:
        return "json_keys(features)" if self.json else "map_keys(features)"

    def unpacked(self, names: list[str]) -> str:
        if not self.json:
            return "NULL"
        return f"json_transform(features, {literal(orjson.dumps(dict.fromkeys(names, 'DOUBLE')).decode())})"

    def each(self, names: list[str]) -> list[str]:
        packed = "struct_extract(unpacked, {})" if self.json else "features[{}]"
        return [f"{packed.format(literal(name))} AS {quoted(PREFIX + name)}" for name in names]


def _answers(join: Join, fallbacks: bool, context: bool) -> _Answers:
    """Parquet is read twice as it is. Reading JSON is dear, and maps in it the dearest: once, and features as text."""
    json = join.source.segmented
    if json:
        join.source.view(join.connection, {"features": "JSON", "context": "VARCHAR", "facts": "JSON"})
    where = "NOT coalesce(p.shadow, false)" + ("" if fallbacks else " AND NOT coalesce(p.fallback_used, false)")
    columns = [*(f"p.{name}" for name in _COLUMNS), "p.features"]
    if context:
        columns += ["CAST(p.context AS VARCHAR) AS context", "CAST(to_json(p.facts) AS VARCHAR) AS facts"]
    select = join.select(f"{', '.join(columns)}, {join.flags}", where)
    if not json:
        return _Answers(f"({select})", False)
    held = join.scratch / "answers.parquet"
    join.connection.execute(f"COPY ({select}) TO {literal(str(held))} (FORMAT parquet)")
    return _Answers(f"read_parquet({literal(str(held))})", True)


class _Counted(NamedTuple):
    """What one reading of the log says before the rows are written; `names` are those of all features, in order."""

    without_features: int
    without_label: int
    doubled: bool
    names: list[str]


def _count(join: Join, answers: _Answers) -> _Counted:
    left_out = "count(*) FILTER (features IS NULL), count(*) FILTER (n IS NULL AND features IS NOT NULL)"
    others = f"{left_out}, count(matched) > count(DISTINCT matched), list(DISTINCT {answers.keys})"
    *matched, bare, unlabelled, doubled, names = join.connection.execute(
        f"SELECT {MATCHED}, {others} FROM {answers.table}"
    ).fetchone()
    join.counted(*matched)
    return _Counted(bare, unlabelled, bool(doubled), _ordered(names or []))


def _ordered(lists: list[list[str]]) -> list[str]:
    """All names by their first place in any record, then by name: revisions may have different ones."""
    places: dict[str, int] = {}
    for names in lists:
        for place, name in enumerate(names or ()):
            places[name] = min(place, places.get(name, place))
    return sorted(places, key=lambda name: (places[name], name))
