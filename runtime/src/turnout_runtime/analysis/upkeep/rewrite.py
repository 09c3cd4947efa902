"""Files of a log without some of their rows: written beside, then put in the old one's place at once."""

from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.places import LogFile
from turnout_runtime.analysis.relation import MERGED
from turnout_runtime.analysis.upkeep.condemned import Condemned
from turnout_runtime.analysis.upkeep.segments import blank, without
from turnout_runtime.log.read import blocks_of
from turnout_runtime.offline.sql import listed, literal, quoted

FORMAT = "FORMAT parquet, COMPRESSION zstd"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file that lost `removed` rows; `before` and `after` are `sha256:…` of its content, None when it is gone."""

    file: str
    removed: int
    before: str
    after: str | None


class Rewriter:
    """Takes condemned rows out of files; `connection` has the tables that `condemn` makes."""

    def __init__(self, connection: Any, condemned: Condemned, scratch: Path) -> None:
        self._connection, self._condemned, self._scratch = connection, condemned, scratch

    def condemn(self) -> None:
        """Tell the database what goes."""
        tables = (("entity_id", self._condemned.entities), ("prediction_id", self._condemned.predictions))
        for name, values in tables:
            self._connection.execute(
                f"CREATE OR REPLACE TEMP TABLE gone_{name} AS SELECT unnest($1::VARCHAR[]) AS {name}", [[*values]]
            )

    def count(self, file: LogFile, path: Path) -> int:
        """Condemned rows of a file that lies at `path`."""
        if file.parquet:
            select = f"SELECT count(*) FROM {_table(path)} WHERE {self._goes(file, path)}"
            return int(self._connection.execute(select).fetchone()[0])
        return sum(self._condemned.line(file.kind, line) for block in blocks_of(path)
                   for line in block.payload.splitlines())  # fmt: skip

    def rewrite(self, file: LogFile, path: Path) -> Rewritten | None:
        """Take condemned rows out of a file; None when there are none. A Parquet file without rows goes, too."""
        removed = self.count(file, path)
        if not removed:
            return None
        before, new = digest(path), self._scratch / "rewritten"
        kept = self._parquet(file, path, new) if file.parquet else self._segment(file, path, new)
        after = digest(new) if kept else None
        if kept:
            file.folder.put(new, file.name)
        else:
            file.folder.remove(file.name)
        new.unlink(missing_ok=True)
        return Rewritten(file.place, removed, before, after)

    def _parquet(self, file: LogFile, path: Path, new: Path) -> bool:
        merged = merged_of(self._connection, path)
        kept = f"SELECT * FROM {_table(path)} WHERE NOT coalesce({self._goes(file, path)}, false)"
        (rows,) = self._connection.execute(f"COPY ({kept}) TO {literal(str(new))} ({FORMAT}{note(merged)})").fetchone()
        return bool(rows) or merged is not None  # which must go on to say what it was made of

    def _segment(self, file: LogFile, path: Path, new: Path) -> bool:
        """What is damaged in it may be about anybody, so that goes, too."""
        rows = end = 0
        with new.open("wb") as out:
            for block in blocks_of(path):
                content, removed = without(block, lambda line: self._condemned.line(file.kind, line))
                out.write(blank(block.offset - end) + content)
                rows, end = rows + block.rows - removed, block.end
            out.write(blank(path.stat().st_size - end))
        return bool(rows)

    def _goes(self, file: LogFile, path: Path) -> str:
        """SQL; a column that the file lacks condemns nothing."""
        there = {name for name, *_ in self._connection.execute(f"DESCRIBE FROM {_table(path)}").fetchall()}
        names = ("entity_id", "prediction_id") if file.kind == "feedback" else ("entity_id",)
        return " OR ".join(f"{name} IN (FROM gone_{name})" for name in names if name in there) or "false"


def merged_of(connection: Any, path: Path) -> str | None:
    """What a merged Parquet file says that it was made of."""
    select = f"SELECT decode(value) FROM parquet_kv_metadata({listed([path])}) WHERE decode(key) = {literal(MERGED)}"
    found = connection.execute(select).fetchone()
    return None if found is None else str(found[0])


def note(merged: str | None) -> str:
    """The option of COPY that writes it."""
    return "" if merged is None else f", KV_METADATA {{{quoted(MERGED)}: {literal(merged)}}}"


def digest(path: Path) -> str:
    """`sha256:…` of a file."""
    with path.open("rb") as file:
        return f"sha256:{file_digest(file, 'sha256').hexdigest()}"


def _table(path: Path) -> str:
    return f"read_parquet({listed([path])}, hive_partitioning = false) r"
