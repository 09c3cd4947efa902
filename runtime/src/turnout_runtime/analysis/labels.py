"""Delayed labels and rewards: read, cleaned, and one for each prediction.

A label belongs to a prediction by its id, or by entity and time: then it is that of the newest answer to its entity
before it. Of several labels of one prediction the newest counts (a correction); several of the same time that differ
are a conflict, and none of them counts. So do rewards, for themselves: one may come apart from its label.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.database import one
from turnout_runtime.analysis.label_rows import ANSWERED, LabelFile, Said, of_newest, said_in_feedback, said_in_file
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.errors import LogInvalid

__all__ = ["LabelCounts", "LabelFile", "load_labels"]
TABLE = "labels"
_SAID = "said"


@dataclass(slots=True)
class LabelCounts:
    """What became of the rows that say something: `rows` are those of the others and `used`."""

    rows: int = 0
    incomplete: int = 0
    """without a key, a value, or (where one is needed) a readable time"""
    later: int = 0
    """after `as_of`"""
    duplicates: int = 0
    """say again what another row says"""
    corrected: int = 0
    """overruled by a newer one of the same prediction"""
    completing: int = 0
    """add a reward to another row's label of the same prediction, or the other way round"""
    conflicts: int = 0
    """differ from another one of the same prediction and time"""
    unknown: int = 0
    """of predictions that are not in this log"""
    early: int = 0
    """older than their prediction: no label is known before the decision"""
    overdue: int = 0
    """outside of the window"""
    used: int = 0

    def told(self) -> list[tuple[str, int]]:
        """What there is of each, in words."""
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, count) for name, count in pairs if count or name in ("rows", "used")]


def load_labels(connection: Any, source: LogSource, file: LabelFile, scratch: Path) -> LabelCounts:
    """Make the table `labels` (key, moment, first, label, reward, n): one row a prediction id, which may be in no log.

    `first` is the time of the older one of label and reward, `moment` that of the newer.

    By entity it needs the view `predictions`. Raises `LogInvalid`, or `BatchInvalid` for a file that is not there.
    """
    counts = LabelCounts()
    connection.execute(f"CREATE TEMP TABLE {_SAID} (key VARCHAR, moment TIMESTAMPTZ, label DOUBLE, reward DOUBLE)")
    for said in _parts(connection, source, file, scratch):
        _read(connection, source, said, file, counts)
    _resolve(connection, counts)
    return counts


def _parts(connection: Any, source: LogSource, file: LabelFile, scratch: Path) -> Iterator[Said]:
    own = file.feedback and source.feedback(connection)
    if file.uri is None and not own:
        raise LogInvalid(
            "there is no feedback in this log: give a table with --labels, or send one with `turnout log feedback`"
        )
    if file.uri is not None:
        yield said_in_file(connection, file, file.uri, scratch)
    if own:
        yield said_in_feedback(connection, file)


def _read(connection: Any, source: LogSource, said: Said, file: LabelFile, counts: LabelCounts) -> None:
    """Add to the table `said` the rows that say something, are known by now, and are of a known entity."""
    whole = f"key IS NOT NULL AND coalesce(label, reward) IS NOT NULL{' AND moment IS NOT NULL' if said.timed else ''}"
    known = f"moment <= TIMESTAMPTZ '{file.as_of.isoformat()}'" if file.as_of else "true"
    rows = f"SELECT *, {known} AS known FROM ({said.relation}) WHERE {whole}"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE part AS {rows}")
    there, later = one(connection, "SELECT count(*), count(*) FILTER (NOT known) FROM part")
    (all_rows,) = one(connection, f"SELECT count(*) FROM {said.rows}")
    counts.rows += all_rows
    counts.incomplete += all_rows - there
    counts.later += later
    connection.execute(f"INSERT INTO {_SAID} SELECT key, moment, label, reward FROM part WHERE known AND {said.ids}")
    if said.entities != "false":
        _find_predictions(connection, source, f"SELECT * FROM part WHERE known AND {said.entities}", counts)
    connection.execute("DROP TABLE part")


def _find_predictions(connection: Any, source: LogSource, rows: str, counts: LabelCounts) -> None:
    """Add them under the ids of the newest answers before each, whether or not these are in the range of the log.

    What came of an answer after the range is no outcome of an older one in it.
    """
    answers = ANSWERED
    if (whole := source.endless()) is not source and one(connection, f"SELECT EXISTS ({rows})")[0]:
        whole.view(connection)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE answered AS {ANSWERED}")
        source.view(connection)
        answers = "FROM answered"
    for objective in (False, True):
        mine = f"{rows} AND objective IS {'NOT ' if objective else ''}NULL"
        if not one(connection, f"SELECT EXISTS ({mine})")[0]:
            continue
        connection.execute(f"CREATE OR REPLACE TEMP TABLE found AS {of_newest(mine, answers, objective)}")
        (unknown,) = one(connection, "SELECT count(*) FROM found WHERE key IS NULL")
        counts.unknown += unknown
        connection.execute(f"INSERT INTO {_SAID} SELECT * FROM found WHERE key IS NOT NULL")
        connection.execute("DROP TABLE found")


def _resolve(connection: Any, counts: LabelCounts) -> None:
    """One row a key: the newest label and the newest reward, which may come apart."""
    rows, keys = one(connection, f"SELECT count(*), count(DISTINCT key) FROM {_SAID}")
    if rows == keys:
        connection.execute(
            f"CREATE TEMP TABLE {TABLE} AS SELECT key, moment, moment AS first, label, reward, rowid AS n FROM {_SAID}"
        )
        return
    distinct = f"SELECT DISTINCT key, moment, label, reward FROM {_SAID}"
    newest = ", ".join(
        f"{name} IS NOT NULL AND rank() OVER (PARTITION BY key, {name} IS NULL ORDER BY moment DESC NULLS LAST) = 1"
        f" AS newest_{name}, min({name}) OVER same = max({name}) OVER same AS agreed_{name}"
        for name in ("label", "reward")
    )
    connection.execute(
        "CREATE TEMP TABLE ranked AS SELECT *, newest_label AND agreed_label AS has_label,"
        " newest_reward AND agreed_reward AS has_reward FROM"
        f" (SELECT *, {newest} FROM ({distinct}) WINDOW same AS (PARTITION BY key, moment))"
    )
    connection.execute(
        f"CREATE TEMP TABLE {TABLE} AS SELECT key, max(moment) AS moment, min(moment) AS first,"
        " max(label) FILTER (has_label) AS label, max(reward) FILTER (has_reward) AS reward, min(rowid) AS n"
        " FROM ranked WHERE has_label OR has_reward GROUP BY key"
    )
    different, old, taken = one(
        connection,
        "SELECT count(*), count(*) FILTER (NOT (newest_label OR newest_reward)),"
        " count(*) FILTER (has_label OR has_reward) FROM ranked",
    )
    (kept,) = one(connection, f"SELECT count(*) FROM {TABLE}")
    counts.duplicates, counts.corrected = rows - different, old
    counts.conflicts, counts.completing = different - old - taken, taken - kept
    connection.execute("DROP TABLE ranked")
