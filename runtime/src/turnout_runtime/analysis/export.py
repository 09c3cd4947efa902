"""Training sets: what the model saw when it answered, and what came of it.

Nothing from after the answer gets in but the label: features are those of the record, never fetched anew; a label is
taken by its own time, never one older than the decision, nor one that was not known at `as_of`.
"""

from dataclasses import dataclass
from pathlib import Path

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
    flags = join.select(f"p.features IS NULL AS bare, {join.flags}", where)
    left_out = "count(*) FILTER (bare), count(*) FILTER (n IS NULL AND NOT bare)"
    counts = f"SELECT {MATCHED}, {left_out}, count(matched) > count(DISTINCT matched) FROM ({flags})"
    *matched, bare, unlabelled, doubled = join.connection.execute(counts).fetchone()
    join.counted(*matched)
    names = _features(join, where)
    if not names:
        raise LogInvalid("no answer in this log has features")
    columns = [f"p.{name}" for name in _COLUMNS]
    columns += [f"p.features[{literal(name)}] AS {quoted(PREFIX + name)}" for name in names]
    columns += (
        ["CAST(p.context AS VARCHAR) AS context", "CAST(to_json(p.facts) AS VARCHAR) AS facts"] if context else []
    )
    rows = join.select(", ".join(columns), f"{where} AND p.features IS NOT NULL AND l.n IS NOT NULL")
    once = " QUALIFY row_number() OVER (PARTITION BY n) = 1" if doubled else ""
    select = f"SELECT * EXCLUDE (n) FROM ({rows}) WHERE n IS NOT NULL{once} ORDER BY time, prediction_id"
    with appearing(path) as beside:
        copy = f"COPY ({select}) TO {literal(str(beside))} (FORMAT {kind})"
        (written,) = join.connection.execute(copy).fetchone()
        if not written:
            raise LogInvalid("no answer in this log has features and a label: see `turnout log labels`")
    return Exported(int(written), int(bare), int(unlabelled), len(names))


def _features(join: Join, where: str) -> list[str]:
    """Names of all features, in the order of the records."""
    keys = f"SELECT map_keys(p.features) AS names FROM predictions p WHERE status = 'ok' AND {where}"
    places = "SELECT unnest(names) AS name, generate_subscripts(names, 1) AS place"
    names = f"SELECT name FROM ({places} FROM (SELECT DISTINCT names FROM ({keys}))) GROUP BY name"
    return [name for (name,) in join.connection.execute(f"{names} ORDER BY min(place), name").fetchall()]
