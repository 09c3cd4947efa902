"""Answers with their labels, as a table, and how many have one."""

from pathlib import Path

from turnout_runtime.analysis.join import MATCHED, Join
from turnout_runtime.analysis.query import appearing
from turnout_runtime.offline.sql import literal

_COLUMNS = (
    "p.prediction_id, p.request_id, p.entity_id, p.time, p.objective, p.revision, p.arm, p.propensity, p.shadow,"
    " p.fallback, p.score, p.decision"
)


def coverage(join: Join) -> list[tuple[str, ...]]:
    """Revision, arm, answers, labelled ones and their share, as text; completes the join's counts. Without shadows."""
    select = join.select(f"p.revision, p.arm, {join.flags}", "NOT coalesce(p.shadow, false)")
    rows = join.connection.execute(
        f"SELECT revision, arm, count(*), count(n), {MATCHED} FROM ({select}) GROUP BY ROLLUP ((revision, arm))"
        " ORDER BY GROUPING(revision) DESC, revision, arm"
    ).fetchall()
    join.counted(*rows[0][4:])
    return [(revision or "-", arm or "-", f"{answers:,}", f"{labelled:,}", f"{labelled / max(1, answers):.1%}")
            for revision, arm, answers, labelled, *_ in rows[1:]]  # fmt: skip


def write_labelled(join: Join, path: Path) -> None:
    """All labelled answers as Parquet."""
    select = f"SELECT * EXCLUDE (n) FROM ({join.select(_COLUMNS, 'l.n IS NOT NULL')}) WHERE n IS NOT NULL"
    with appearing(path, join.source) as beside:
        join.connection.execute(f"COPY ({select}) TO {literal(str(beside))} (FORMAT parquet)")
