"""CSV files, read as their first line says and in no other way.

DuckDB guesses: it takes a file with one short line for a file of one column, or passes over what does not fit. Here the
first line names the columns and shows what separates them, and a line that does not fit is an error with its number.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnout_runtime.errors import BatchInvalid
from turnout_runtime.offline.database import told
from turnout_runtime.offline.sql import listed, literal, quoted

_SEPARATORS = (",", ";", "\t", "|")
_TYPES = "['BOOLEAN', 'BIGINT', 'DOUBLE', 'VARCHAR']"
_LINE, _COUNTS = re.compile(r"CSV Error on Line: (\d+)"), re.compile(r"Number of Columns: (\d+) Found: (\d+)")


def convert(connection: Any, paths: Sequence[Path], sink: str) -> None:
    """Copy the files' rows to `sink` (of SQL's COPY); raises `BatchInvalid` naming the file and the line at fault."""
    heads = [_first_line(connection, path) for path in paths]
    for path, head in zip(paths, heads, strict=True):
        if head != heads[0]:
            raise BatchInvalid(f"{path.name} has another first line than {paths[0].name}: files need the same columns")
    names, separator = _names(heads[0], paths[0].name)
    dialect = f"header = true, skip = 0, delim = {literal(separator)}, quote = '\"', escape = '\"', comment = ''"
    found = f"{dialect}, auto_type_candidates = {_TYPES}, sample_size = -1"
    try:
        connection.execute(f"COPY (FROM read_csv({listed(paths)}, {found})) TO {sink}")
    except Exception as error:  # DuckDB's, which tells of its guesses where it looks for types
        for path in paths:
            _check_lines(connection, path, names, dialect)
        raise told(error) from error


def _first_line(connection: Any, path: Path) -> str:
    raw = "columns = {'line': 'VARCHAR'}, auto_detect = false, header = false, delim = '', quote = '', escape = ''"
    try:
        found = connection.execute(f"SELECT line FROM read_csv({literal(str(path))}, {raw}) LIMIT 1").fetchone()
    except Exception as error:
        raise _explained(path, error) from error
    return str(found[0] or "") if found else ""


def _names(head: str, file: str) -> tuple[list[str], str]:
    separator = max(_SEPARATORS, key=head.count)
    names = next(csv.reader([head], delimiter=separator), [])
    folded = [name.casefold() for name in names]
    if twice := [name for name in names if name and folded.count(name.casefold()) > 1]:
        raise BatchInvalid(f"{file}: the columns {', '.join(twice)} have one name (case does not count): rename them")
    return names, separator


def _check_lines(connection: Any, path: Path, names: Sequence[str], dialect: str) -> None:
    """Raise `BatchInvalid` for the first line that does not fit."""
    texts = ", ".join(f"{quoted(name or f'column {number}')}: 'VARCHAR'" for number, name in enumerate(names))
    source = f"read_csv({literal(str(path))}, {dialect}, auto_detect = false, columns = {{{texts}}})"
    try:
        connection.execute(f"SELECT count(COLUMNS(*)) FROM {source}")
    except Exception as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: Exception) -> BatchInvalid:
    text = " ".join(str(error).split())
    line, counts = _LINE.search(text), _COUNTS.search(text)
    if line is None:
        return told(error)
    why = "a quote is not closed" if "unterminated quote" in text else "it cannot be read: is the file UTF-8?"
    if counts is not None:
        why = f"it has {counts[2]} fields, and the first line names {counts[1]} columns"
    return BatchInvalid(f"{path.name} line {line[1]}: {why}")
