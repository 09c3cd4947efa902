"""Training sets: what the model saw when it answered, and what came of it.

Nothing from after the answer gets in but the label: features are those of the record, never fetched anew; a label is
taken by its own time, never one older than the decision, nor one that was not known at `as_of`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
    where = "NOT coalesce(p.shadow, false)" + ("" if fallbacks else " AND NOT coalesce(p.fallback_used, false)")
    counted = _count(join, where)
    if not counted.names:
        raise LogInvalid("no answer in this log has features")
    columns = [f"p.{name}" for name in _COLUMNS]
    columns += [f"p.features[{literal(name)}] AS {quoted(PREFIX + name)}" for name in counted.names]
    if context:
        columns += ["CAST(p.context AS VARCHAR) AS context", "CAST(to_json(p.facts) AS VARCHAR) AS facts"]
    rows = join.select(", ".join(columns), f"{where} AND p.features IS NOT NULL AND l.n IS NOT NULL")
    once = " QUALIFY row_number() OVER (PARTITION BY n) = 1" if counted.doubled else ""
    select = f"SELECT * EXCLUDE (n) FROM ({rows}) WHERE n IS NOT NULL{once} ORDER BY time, prediction_id"
    with appearing(path, join.source) as beside:
        copy = f"COPY ({select}) TO {literal(str(beside))} (FORMAT {kind})"
        (written,) = join.connection.execute(copy).fetchone()
        if not written:
            raise LogInvalid("no answer in this log has features and a label: see `turnout log labels`")
    return Exported(int(written), counted.without_features, counted.without_label, len(counted.names))


class _Counted(NamedTuple):
    """What one reading of the log says before the rows are written; `names` are those of all features, in order."""

    without_features: int
    without_label: int
    doubled: bool
    names: list[str]


def _count(join: Join, where: str) -> _Counted:
    flags = join.select(f"map_keys(p.features) AS names, {join.flags}", where)
    left_out = "count(*) FILTER (names IS NULL), count(*) FILTER (n IS NULL AND names IS NOT NULL)"
    others = f"{left_out}, count(matched) > count(DISTINCT matched), list(DISTINCT names)"
    *matched, bare, unlabelled, doubled, names = join.connection.execute(
        f"SELECT {MATCHED}, {others} FROM ({flags})"
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
