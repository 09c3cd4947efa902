"""Checks a log: every block, every file, and that no record is there twice."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.places import LogFile
from turnout_runtime.analysis.relation import KEY, MERGED_PREFIX, of_lines, of_parquet, superseded
from turnout_runtime.analysis.upkeep.files import Files
from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.read import blocks_of
from turnout_runtime.log.segments import KINDS, Kind
from turnout_runtime.scratch import scratch


@dataclass(slots=True)
class Verified:
    """What there is of each kind, and what is wrong, in words; `doubled` counts records beyond the first of their id.

    `torn` bytes are at the end of open segments: of a block that is being written, or whose writer has died.
    `leftovers` are files that were merged into others and do not count.
    """

    files: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    rows: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    doubled: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    wrong: list[str] = field(default_factory=list)
    torn: int = 0
    leftovers: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong and not any(self.doubled.values())


def verify(places: list[str], progress: Progress = quiet) -> Verified:
    """Read everything there is. Blocks. Raises `LogInvalid` for a place that does not exist."""
    found, gone = Verified(), set[str]()
    with scratch() as folder, database() as connection:
        files = Files(places, folder, progress)
        for kind in KINDS:
            connection.execute(f"CREATE TEMP TABLE ids_{kind} (id VARCHAR)")
            for file, path in files.of(kind, f"reading {kind}"):
                if Path(file.name).name.startswith(MERGED_PREFIX):
                    gone |= superseded(connection, {path: file})
            for file, path in files.of(kind, f"checking {kind}"):
                if file.place in gone:
                    found.leftovers += 1
                else:
                    _check(connection, file, path, found, folder)
            select = f"SELECT count(*), count(*) - count(DISTINCT id) FROM ids_{kind}"
            found.rows[kind], found.doubled[kind] = connection.execute(select).fetchone()
    return found


def _check(connection: Any, file: LogFile, path: Path, found: Verified, folder: Path) -> None:
    import duckdb

    found.files[file.kind] += 1
    try:
        if file.parquet:
            _parquet(connection, file, path)
        else:
            _segment(connection, file, path, found, folder)
    except (duckdb.Error, LogInvalid) as error:
        found.wrong.append(f"{file.place}: cannot be read: {' '.join(str(error).split())[:200]}")


def _parquet(connection: Any, file: LogFile, path: Path) -> None:
    """All columns are decoded, not only counted."""
    every = of_parquet(connection, file.kind, [path])
    connection.execute(f"SELECT bit_xor(hash(r)) FROM ({every}) r").fetchone()
    connection.execute(f"INSERT INTO ids_{file.kind} SELECT {KEY[file.kind]} FROM ({every})")


def _segment(connection: Any, file: LogFile, path: Path, found: Verified, folder: Path) -> None:
    end = damaged = rows = 0
    copy = folder / "blocks.jsonl"
    with copy.open("wb") as out:
        for block in blocks_of(path):
            damaged, end, rows = damaged + block.offset - end, block.end, rows + block.rows
            out.write(block.payload)
    tail = path.stat().st_size - end if path.exists() else 0
    found.torn += tail if file.open else 0
    if lost := damaged + (0 if file.open else tail):
        found.wrong.append(f"{file.place}: {lost:,} bytes are in no sound block: their records are lost")
    if rows:
        select = f"SELECT {KEY[file.kind]} AS id FROM ({of_lines(file.kind, [copy])})"
        (read,) = connection.execute(f"INSERT INTO ids_{file.kind} FROM ({select}) WHERE id IS NOT NULL").fetchone()
        if read < rows:
            found.wrong.append(f"{file.place}: {rows - read:,} lines are no records")
