"""Where predictions and feedback are read from: the one place that knows what a log's files are.

Segments of pods and Parquet of sinks are one relation, here or in an object store. What is there is found when a source
is made; files of a store are fetched when they are first read, only those whose hour may count.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from weakref import finalize

from turnout_runtime.analysis.places import LogFile, Range, files_of
from turnout_runtime.analysis.readable import Readable, readable
from turnout_runtime.analysis.relation import KEY, MERGED_PREFIX, of_lines, of_none, of_parquet, superseded, within
from turnout_runtime.log.segments import Kind
from turnout_runtime.offline.place import LocalFolder
from turnout_runtime.scratch import scratch

VIEW, FEEDBACK = "predictions", "feedback"
_FETCHERS = 8
_ALL = Range()
_TYPED: Mapping[str, str] = {}


class LogSource:
    """The log below some folders, files, patterns and URLs; of a range of time only the records in it.

    With an objective views have the predictions and the feedback of that one only.
    """

    def __init__(self, places: Sequence[str | Path], during: Range = _ALL, objective: str | None = None) -> None:
        """Raises `LogInvalid` for a place that does not exist; one without files yet is an empty log."""
        self._places, self.during, self.objective = [str(place) for place in places], during, objective
        self.found = files_of(self._places, during)
        self._checked: dict[Kind, list[Readable]] = {}
        self._here: dict[str, Path] = {}
        self._stack = ExitStack()
        self._scratch: Path | None = None
        finalize(self, self._stack.close)

    @property
    def lines(self) -> list[Path]:
        """The segments of predictions, fetched; of each folder the oldest first."""
        return list(self._fetched([file for file in self.found if _is(file, "predictions", False)]))

    @property
    def files(self) -> list[Path]:
        """All files on this machine that belong to the log, or that views read of it."""
        local = [Path(file.place) for file in self.found if isinstance(file.folder, LocalFolder)]
        return list(dict.fromkeys((*local, *self._here.values())))

    def refresh(self) -> list[Path]:
        """Find the files anew; the segments of predictions, which are those that grow."""
        self.found = files_of(self._places, self.during)
        self._checked.clear()
        return self.lines

    @property
    def segmented(self) -> bool:
        """Whether any predictions are in segments, and none but the columns that are needed should be read."""
        return any(_is(file, "predictions", False) for file in self.found)

    def view(self, connection: Any, types: Mapping[str, str] = _TYPED) -> None:
        """Make the view `predictions` in a DuckDB connection, typed as the schema says, or else `types`, by column."""
        self._view(connection, "predictions", types)

    def endless(self) -> "LogSource":
        """The same log without an end of its range; itself where it has none."""
        if self.during.until is None:
            return self
        return LogSource(self._places, Range(self.during.since), self.objective)

    def feedback(self, connection: Any) -> bool:
        """Make the view `feedback` likewise; whether there is any file of it."""
        self._view(connection, "feedback", _TYPED)
        return self.has_feedback

    @property
    def has_parquet(self) -> bool:
        """Whether there is any Parquet file of predictions."""
        return any(_is(file, "predictions", True) for file in self.found)

    @property
    def has_feedback(self) -> bool:
        """Whether there is any file of feedback."""
        return any(file.kind == "feedback" for file in self.found)

    def unreadable(self, connection: Any) -> int:
        """Lines of predictions that are no records; reads all segments, after `view`."""
        lines = self._readable("predictions")
        if not lines:
            return 0
        select = "SELECT count(*) FROM _predictions_lines WHERE prediction_id IS NULL"
        return int(connection.execute(select).fetchone()[0]) - sum(each.headers for each in lines)

    @property
    def damaged(self) -> int:
        """Bytes of segments that views left out, since their blocks are damaged."""
        return sum(each.damaged for lines in self._checked.values() for each in lines)

    def parquet(self, connection: Any, kind: Kind) -> list[Path]:
        """The Parquet files that count, fetched."""
        files = [file for file in self.found if _is(file, kind, True)]
        merged = self._fetched([file for file in files if Path(file.name).name.startswith(MERGED_PREFIX)])
        gone = superseded(connection, merged)
        return list(self._fetched([file for file in files if file.place not in gone]))

    def _view(self, connection: Any, kind: Kind, types: Mapping[str, str]) -> None:
        lines, parquet = self._readable(kind), self.parquet(connection, kind)
        asked = within(kind, self.during, self.objective)
        parts = [] if lines or parquet else [of_none(kind)]
        if lines:
            select = of_lines(kind, [each.path for each in lines], types)
            connection.execute(f"CREATE OR REPLACE TEMP VIEW _{kind}_lines AS {select}")
            parts.append(f"SELECT * FROM _{kind}_lines WHERE {KEY[kind]} IS NOT NULL{asked}")
        if parquet:
            parts.append(of_parquet(connection, kind, parquet, types) + asked)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {kind} AS {' UNION ALL BY NAME '.join(parts)}")

    def _readable(self, kind: Kind) -> list[Readable]:
        """The segments of a kind, checked once."""
        if kind not in self._checked:
            segments = self._fetched([file for file in self.found if _is(file, kind, False)])
            lines = readable(list(segments), self._folder(f"copies-{kind}")) if segments else []
            self._checked[kind] = lines
            self._here |= {str(each.path): each.path for each in lines}
        return self._checked[kind]

    def _fetched(self, files: Sequence[LogFile]) -> dict[Path, LogFile]:
        """The files on this machine."""
        with ThreadPoolExecutor(_FETCHERS) as threads:
            for file, path in zip(files, threads.map(self._fetch, files), strict=True):
                self._here[file.place] = path
        return {self._here[file.place]: file for file in files}

    def _fetch(self, file: LogFile) -> Path:
        if isinstance(file.folder, LocalFolder):
            return Path(file.place)
        if (path := self._here.get(file.place)) is not None:
            return path
        root = file.place.removesuffix(file.name).replace("/", "_")
        return file.folder.fetch(file.name, self._folder(root))

    def _folder(self, name: str) -> Path:
        if self._scratch is None:
            self._scratch = self._stack.enter_context(scratch())
        folder = self._scratch / name
        folder.mkdir(exist_ok=True)
        return folder


def _is(file: LogFile, kind: Kind, parquet: bool) -> bool:
    return file.kind == kind and file.parquet == parquet
