"""The joined log as columns, group by group."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from turnout_runtime.analysis.database import one
from turnout_runtime.analysis.join import MATCHED, Join
from turnout_runtime.analysis.quality import Rows
from turnout_runtime.errors import LogInvalid
from turnout_runtime.offline.sql import literal

Window = Literal["hour", "day"]
Kind = Literal["answer", "fallback", "shadow", "shadow fallback"]
_KIND = (
    "concat_ws(' ', CASE WHEN p.shadow THEN 'shadow' END,"
    " CASE WHEN p.fallback_used THEN 'fallback' WHEN p.shadow THEN NULL ELSE 'answer' END)"
)
_REQUEST = "hash(p.namespace, p.objective, p.request_id)"
_COLUMNS = (
    f"{_KIND} AS kind, p.revision, p.arm, p.time, p.score, p.decision, p.propensity,"
    f" coalesce(p.shadow, false) AS shadow, {_REQUEST} AS request, coalesce(p.sample_rate, 1) AS sample_rate,"
    " CASE WHEN p.entity_id IS NULL THEN hash(p.prediction_id) ELSE hash(p.entity_id) END AS entity"
)


@dataclass(frozen=True, slots=True)
class Group:
    """Answers of one revision and arm that are of one kind, of all times or of the window that begins at `start`."""

    revision: str
    arm: str
    kind: Kind
    start: str | None = None


class Answers:
    """The table `joined` in the join's database: answers, and what came of them."""

    def __init__(self, join: Join) -> None:
        """Reads the log once. Raises `LogInvalid` for labels that are neither 0 nor 1."""
        self._connection = connection = join.connection
        select = join.select(f"{_COLUMNS}, {join.flags}")
        connection.execute(f"CREATE TEMP TABLE joined AS {select}")
        join.counted(*one(connection, f"SELECT {MATCHED} FROM joined"))
        self._keep_once()
        odd = connection.execute("SELECT label FROM joined WHERE label NOT IN (0, 1) LIMIT 1").fetchone()
        if odd is not None:
            raise LogInvalid(f"labels: {odd[0]:g} is neither 0 nor 1: is it a reward (--reward-column)?")
        self._label_shadows()

    def _keep_once(self) -> None:
        """Records that a sink delivered twice count once, as far as labels show it."""
        labelled = "FROM joined WHERE matched IS NOT NULL"
        first = f"SELECT min(rowid) {labelled} GROUP BY matched"
        if one(self._connection, f"SELECT count(*) > count(DISTINCT matched) {labelled}")[0]:
            self._connection.execute(f"DELETE {labelled} AND rowid NOT IN ({first})")

    def _label_shadows(self) -> None:
        """A shadow has the label of the answer that it copied, but no reward: nobody acted on its decision.

        Requests are told apart by a hash of 64 bits; among a million, two are taken for one with a chance of 1e-8.
        """
        live = "SELECT request, any_value(label) AS label FROM joined WHERE NOT shadow AND label IS NOT NULL"
        copied = "request IN (SELECT request FROM joined WHERE shadow) GROUP BY request HAVING count(*) = 1"
        self._connection.execute(
            f"UPDATE joined SET label = pairs.label FROM ({live} AND {copied}) pairs"
            " WHERE joined.shadow AND joined.request = pairs.request AND joined.label IS NULL"
        )

    def likely_positive(self) -> str | None:
        """Of two decisions the one with the higher scores; None when there are more or fewer."""
        rows = self._connection.execute(
            "SELECT decision FROM joined GROUP BY decision ORDER BY avg(score) DESC"
        ).fetchall()
        return str(rows[0][0]) if len(rows) == 2 else None

    def without_propensity(self) -> int:
        """Answers that cannot be weighted."""
        return int(one(self._connection, "SELECT count(*) FROM joined WHERE NOT coalesce(propensity > 0, false)")[0])

    @property
    def sampled(self) -> bool:
        """Whether some records stand for several requests."""
        return bool(one(self._connection, "SELECT coalesce(min(sample_rate) < 1, false) FROM joined")[0])

    def groups(self, window: Window | None, positive: str | None, weighted: bool) -> Iterator[tuple[Group, Rows]]:
        """Each group with its rows, by kind, revision, arm and time; weighted ones only with a propensity.

        Rows of a sampled log weigh 1 / sample_rate, those that are weighted also 1 / propensity.
        """
        start = "NULL" if window is None else f"strftime(date_trunc('{window}', time), '%Y-%m-%dT%H:%MZ')"
        where = "coalesce(propensity > 0, false)" if weighted else "true"
        rows = f"SELECT *, {start} AS start FROM joined WHERE {where}"
        names = "kind, revision, arm, start"
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE groups AS SELECT *, CAST(row_number() OVER () - 1 AS INTEGER) AS g"
            f" FROM (SELECT DISTINCT {names} FROM ({rows}) ORDER BY ALL)"
        )
        same = " AND ".join(f"r.{name} IS NOT DISTINCT FROM groups.{name}" for name in names.split(", "))
        decided = "NULL" if positive is None else f"decision = {literal(positive)}"
        figures = ", ".join(f"coalesce(CAST({sql} AS DOUBLE), 'NaN') AS {name}" for name, sql in (
            ("score", "score"), ("label", "label"), ("reward", "reward"), ("positive", decided),
            ("weight", f"1 / (sample_rate{' * propensity' if weighted else ''})")))  # fmt: skip
        cursor = self._connection.execute(f"SELECT g, entity, {figures} FROM ({rows}) r JOIN groups ON {same}")
        yield from self._slices(cursor.fetchnumpy(), weighted or self.sampled)

    def _slices(self, columns: Any, weighted: bool) -> Iterator[tuple[Group, Rows]]:
        number = np.asarray(columns.pop("g"))
        order = np.argsort(number, kind="stable")
        ordered = {name: np.asarray(values)[order] for name, values in columns.items()}
        found = self._connection.execute("SELECT revision, arm, kind, start FROM groups ORDER BY g").fetchall()
        ends = np.searchsorted(number[order], np.arange(len(found) + 1))
        for index, (revision, arm, kind, start) in enumerate(found):
            part = {name: values[ends[index] : ends[index + 1]] for name, values in ordered.items()}
            weights = part.pop("weight")
            yield Group(revision or "-", arm or "-", kind, start), Rows(**part, weights=weights if weighted else None)
