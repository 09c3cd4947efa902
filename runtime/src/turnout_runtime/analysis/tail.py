"""Which records of a growing log somebody wants to see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from turnout_runtime.analysis.database import lock, told
from turnout_runtime.analysis.find import Record, parsed
from turnout_runtime.analysis.query import Query
from turnout_runtime.analysis.schema import FIELDS, TYPES
from turnout_runtime.errors import LogInvalid


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records with all of these; None wants any. `fallback` is "" for any fallback."""

    arm: str | None = None
    status: str | None = None
    revision: str | None = None
    fallback: str | None = None
    entity: str | None = None

    def has(self, record: Record) -> bool:
        """Whether a record is wanted."""
        pairs = (("arm", self.arm), ("status", self.status), ("revision", self.revision), ("entity_id", self.entity))
        if any(value is not None and record.get(name) != value for name, value in pairs):
            return False
        return self.fallback is None or (
            bool(record.get("fallback_used")) and self.fallback in ("", record.get("fallback"))
        )


class Where:
    """An SQL condition on the fields of `predictions`."""

    def __init__(self, connection: Any, condition: str) -> None:
        """Locks the connection; raises `LogInvalid` for what is no condition."""
        lock(connection, ())
        self._connection = connection
        self._structure = orjson.dumps(TYPES).decode()
        fields = ", ".join(f"r.{field.name}" for field in FIELDS)
        self._table = f"SELECT n, {fields} FROM (SELECT n, from_json(line, getvariable('structure')) r FROM lines)"
        connection.execute("CREATE TEMP TABLE lines (n BIGINT, line VARCHAR)")
        connection.execute("SET VARIABLE structure = ?", [self._structure])
        self._select = f"SELECT n FROM ({self._table}) AS predictions WHERE (\n{condition}\n)"
        self._check()

    def _check(self) -> None:
        import duckdb

        try:
            Query(self._connection, self._select)
        except duckdb.Error as error:
            raise LogInvalid(f"--where: {told(error)}") from error
        except LogInvalid as error:
            raise LogInvalid("--where: give one condition") from error

    def matching(self, lines: Sequence[bytes]) -> list[bytes]:
        """The lines that fulfil it, in their order."""
        texts = [line.decode(errors="replace") for line in lines]
        self._connection.execute("DELETE FROM lines")
        insert = "INSERT INTO lines SELECT generate_subscripts($1, 1) - 1, unnest($1::VARCHAR[])"
        self._connection.execute(insert, [texts])
        return [lines[n] for (n,) in self._connection.execute(f"{self._select} ORDER BY n").fetchall()]


def selected(lines: Sequence[bytes], wanted: Wanted, where: Where | None) -> list[tuple[bytes, Record]]:
    """The wanted records by time, with their lines; what is no record is left out."""
    found = [(line, record) for line in lines if (record := parsed(line)) is not None and wanted.has(record)]
    if where is not None and found:
        matching = set(where.matching([line for line, _ in found]))
        found = [pair for pair in found if pair[0] in matching]
    return sorted(found, key=lambda pair: str(pair[1].get("time")))


def newest(lines: Sequence[bytes], count: int) -> list[bytes]:
    """The last `count` records of several files, by time."""
    timed = sorted((str(record.get("time")), line) for line in lines if (record := parsed(line)) is not None)
    return [line for _, line in timed[len(timed) - count :]] if count < len(timed) else [line for _, line in timed]
