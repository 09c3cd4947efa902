"""Merges the small files of an hour into one, so that a year of hours stays quick to read.

The merged file says in its metadata what it was made of, and readers leave those files out beside it. So the moment in
which it appears is the one in which they stop to count: an end at any other, or a shipper that repeats an old file
later, doubles nothing. What is left of them goes with the next run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.places import LogFile, files_of
from turnout_runtime.analysis.relation import MERGED_PREFIX, table_of
from turnout_runtime.analysis.upkeep.rewrite import FORMAT, merged_of, note
from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.errors import LogInvalid
from turnout_runtime.offline.sql import literal
from turnout_runtime.scratch import scratch


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of an hour's folder: files that were merged, their bytes and those of the new one.

    `leftovers` are files that did not count any more, and went, too.
    """

    files: int = 0
    before: int = 0
    after: int = 0
    leftovers: int = 0


def compact(root: str, until: datetime, progress: Progress = quiet) -> list[Merged]:
    """Merge the files of each hour that ended by then; the hours where there was something to do. Blocks.

    Nobody else may compact the same root meanwhile. Raises `LogInvalid` for a place that is no sink's root.
    """
    files = [file for file in files_of([root]) if file.parquet]
    if files and not any(file.hour for file in files):
        raise LogInvalid(f"{root}: no folders of hours are below it: give the root of a sink")
    old = [file for file in files if file.hour is not None and file.hour + timedelta(hours=1) <= until]
    hours = [list(hour) for _, hour in groupby(sorted(old, key=lambda file: file.place), lambda file: file.partition)]
    with progress("merging", len(hours), " hours") as tell, database() as connection:
        found = []
        for hour in hours:
            if len(hour) > 1:
                with scratch() as folder:
                    found.append(_merged(connection, hour, folder))
            tell(1)
    return [each for each in found if each.files or each.leftovers]


def _merged(connection: Any, hour: Sequence[LogFile], folder: Path) -> Merged:
    here = {file: file.folder.fetch(file.name, folder) for file in hour}
    gone = _made_of(connection, here)
    counting = [file for file in hour if _base(file) not in gone]
    leftovers = [file for file in hour if _base(file) in gone]
    done = _put(connection, {file: here[file] for file in counting}, gone, folder) if len(counting) > 1 else Merged()
    for file in (*leftovers, *(counting if done.files else ())):
        file.folder.remove(file.name)
    return Merged(done.files, done.before, done.after, len(leftovers))


def _made_of(connection: Any, here: Mapping[LogFile, Path]) -> set[str]:
    merged = [path for file, path in here.items() if _base(file).startswith(MERGED_PREFIX)]
    return {name for path in merged for name in (merged_of(connection, path) or "").split("\n")}


def _put(connection: Any, here: Mapping[LogFile, Path], gone: set[str], folder: Path) -> Merged:
    """One file in place of several; its name follows from theirs, so that the same again replaces it."""
    names = sorted(gone | {_base(file) for file in here})
    new, first = folder / "merged.new", next(iter(here))
    order = "time, prediction_id" if first.kind == "predictions" else "received, feedback_id"
    rows = f"SELECT * FROM {table_of([*here.values()])} ORDER BY {order}"
    connection.execute(f"COPY ({rows}) TO {literal(str(new))} ({FORMAT}{note(chr(10).join(names))})")
    before, after = sum(path.stat().st_size for path in here.values()), new.stat().st_size
    digest = sha256("\n".join(names).encode()).hexdigest()[:16]
    first.folder.put(new, PurePosixPath(first.name).with_name(f"{MERGED_PREFIX}{digest}.parquet").as_posix())
    return Merged(len(here), before, after)


def _base(file: LogFile) -> str:
    return PurePosixPath(file.name).name
