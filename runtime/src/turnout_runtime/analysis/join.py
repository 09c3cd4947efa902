"""Predictions with what came of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.labels import LabelCounts, LabelFile, load_labels
from turnout_runtime.analysis.source import LogSource

MATCHED = "count(DISTINCT matched), count(DISTINCT matched) FILTER (early), count(DISTINCT matched) FILTER (overdue)"
"""SQL: what `Join.counted` takes, over `Join.flags`."""
_ANSWERED = "p.status = 'ok' AND p.decision IS NOT NULL AND p.score IS NOT NULL"


class Join:
    """Predictions, joined with the labels that were known in time."""

    def __init__(self, connection: Any, source: LogSource, file: LabelFile, scratch: Path) -> None:
        self.connection = connection
        self.source = source
        self.scratch = scratch
        self._file = file
        source.view(connection)
        self.counts: LabelCounts = load_labels(connection, source, file, scratch)

    def select(self, columns: str, where: str = "true") -> str:
        """SQL of all answers `p`: the columns, then label, reward, label_time and n, which are NULL without a label."""
        usable = f"NOT ({self._early}) AND NOT ({self._overdue})"
        joined = ", ".join(f"CASE WHEN {usable} THEN l.{name} END AS {alias}" for name, alias in _LABEL_COLUMNS)
        return f"SELECT {columns}, {joined} FROM {_JOINED} WHERE {_ANSWERED} AND ({where})"

    def counted(self, matched: int, early: int, overdue: int) -> None:
        """Complete the counts by labels that fit an answer, and those of them that are not used."""
        counts = self.counts
        (labels,) = self.connection.execute("SELECT count(*) FROM labels").fetchone()
        counts.unknown += labels - matched
        counts.early, counts.overdue = early, overdue
        counts.used = matched - early - overdue

    @property
    def flags(self) -> str:
        """SQL: columns for `select` over which `MATCHED` counts what the join needs to know."""
        return f"{self._early} AS early, {self._overdue} AS overdue, l.n AS matched"

    @property
    def _early(self) -> str:
        return "coalesce(l.first < p.time, false)"

    @property
    def _overdue(self) -> str:
        if self._file.window is None:
            return "false"
        return f"coalesce(l.moment > p.time + to_microseconds({round(self._file.window * 1e6)}), false)"


_LABEL_COLUMNS = (("label", "label"), ("reward", "reward"), ("moment", "label_time"), ("n", "n"))
_JOINED = "predictions p LEFT JOIN labels l ON p.prediction_id = l.key"


@contextmanager
def joining(source: LogSource, file: LabelFile) -> Iterator[Join]:
    """A join in a database of its own; raises `LogInvalid`, or `BatchInvalid` for labels that are not there."""
    with TemporaryDirectory(prefix="turnout-labels-") as scratch, database() as connection:
        yield Join(connection, source, file, Path(scratch))
