"""Which files a log has: folders of pods, patterns, files, and the roots of sinks, here or in an object store."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from glob import glob, has_magic
from pathlib import Path, PurePosixPath

from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.segments import OPEN, Kind, segment_of
from turnout_runtime.offline.place import Folder, folder_of

_HIVE_FEEDBACK = re.compile(r"(?:^|/)feedback/namespace=[^/]*/objective=")
_HOUR = re.compile(r"(?:^|/)hour=(\d{4}-\d{2}-\d{2}T\d{2})(?:/|$)")
REJECTED = "rejected"
_ASIDE = frozenset({REJECTED, "ship"})
"""Folders of a pod's directory that are the shipper's own."""
_NOWHERE = "there is no such folder: give the log's directory, or a pattern like 'logs/*'"


@dataclass(frozen=True, slots=True)
class Range:
    """Records from `since` on and before `until`; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def has_hour(self, hour: datetime | None, kind: Kind) -> bool:
        """Whether records of this partition may count; feedback of the range may come any time after it."""
        if hour is None:
            return True
        late = kind == "predictions" and self.until is not None and hour >= self.until
        return not late and (self.since is None or hour + timedelta(hours=1) > self.since)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log: `name` in `folder`; `place` is what people call it. `hour` is that of its partition."""

    folder: Folder
    name: str
    place: str
    kind: Kind
    parquet: bool
    hour: datetime | None

    @property
    def open(self) -> bool:
        """Whether a pod writes to it, or was killed while it did."""
        return self.name.endswith(OPEN)

    @property
    def partition(self) -> str:
        """The folder that it is in, as people call it."""
        return self.place.rpartition("/")[0]


def files_of(places: Sequence[str], during: Range = Range()) -> list[LogFile]:
    """All files of a log: segments of each folder oldest first, then Parquet. Raises `LogInvalid` for no such place."""
    found: dict[str, LogFile] = {}
    for place in places:
        for file in _below(place):
            if during.has_hour(file.hour, file.kind):
                found.setdefault(file.place, file)
    sealed = [file for file in found.values() if not (file.open and file.place.removesuffix(".open") in found)]
    return sorted(sealed, key=_order)


def _order(file: LogFile) -> tuple[bool, str, tuple[str, int, int], str]:
    segment = segment_of(PurePosixPath(file.name).name)
    age = segment[:3] if segment else ("", 0, 0)
    return file.parquet, file.partition, age, file.place


def _below(place: str) -> Iterator[LogFile]:
    if "://" in place:
        yield from _remote(place)
        return
    for path in _paths(place):
        if path.is_dir():
            yield from (file for name in _names(path) if (file := _file(path, name)) is not None)
        elif (file := _file(path.parent, path.name)) is not None:
            yield file
        else:  # somebody names it himself
            yield LogFile(folder_of(str(path.parent)), path.name, str(path), "predictions", False, None)


def _names(path: Path) -> list[str]:
    """The names below a folder; one that a pod or a shipper takes away meanwhile does not end the search."""
    return sorted(found.relative_to(path).as_posix() for found in path.rglob("*.*") if "." in found.name)


def _file(path: Path, name: str) -> LogFile | None:
    return _classified(folder_of(str(path)), name, str(path))


def _remote(place: str) -> Iterator[LogFile]:
    head, _, last = place.rstrip("/").rpartition("/")
    if last.endswith((".parquet", ".jsonl")):
        folder, names, root = folder_of(head), [last], head
    else:
        root = place.rstrip("/")
        folder = folder_of(root)
        names = folder.names()
        if not names:
            raise LogInvalid(f"{place}: nothing is there: give the root of a sink, such as s3://bucket/prefix")
    yield from (file for name in names if (file := _classified(folder, name, root)) is not None)


def _classified(folder: Folder, name: str, root: str) -> LogFile | None:
    """What a name says; None for files of other programs. Names that begin with `.` or `_` are not whole yet."""
    parts = PurePosixPath(name).parts
    if any(part.startswith((".", "_")) for part in parts) or _ASIDE.intersection(parts[:-1]):
        return None
    place = f"{root}/{name}"
    if (segment := segment_of(parts[-1])) is not None:
        return LogFile(folder, name, place, segment.kind, False, None)
    if not name.endswith(".parquet"):
        return None
    hour = _HOUR.search(place)
    return LogFile(
        folder, name, place, "feedback" if _HIVE_FEEDBACK.search(place) else "predictions", True,
        datetime.strptime(hour[1], "%Y-%m-%dT%H").replace(tzinfo=UTC) if hour else None,
    )  # fmt: skip


def _paths(place: str) -> list[Path]:
    """The folders or files that a place means."""
    if Path(place).exists():
        return [Path(place)]
    there = sorted(map(Path, glob(place, recursive=True))) if has_magic(place) else []
    found = [path for path in there if path.is_dir() or _file(path.parent, path.name) is not None]
    if not found:
        raise LogInvalid(f"{place}: {_NOWHERE}")
    return found
