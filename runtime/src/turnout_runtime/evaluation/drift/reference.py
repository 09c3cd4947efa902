"""What windows are compared to: another log, a file of one, or a table such as a training set."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.evaluation.records import Record, parsed, records
from turnout_runtime.evaluation.tables import table_rows

_BLOCK = 1024**2


def reference(path: Path) -> Iterator[Record]:
    """Records of a log directory or of a file of one, or a table's rows as records; raises `EvaluationInvalid`.

    A column of a table is compared to the feature of its name, to the field of the context, and to score and decision.
    """
    if path.is_dir():
        yield from records([path])
    elif not path.is_file():
        raise EvaluationInvalid(f"--reference {path}: no such file or directory")
    elif path.suffix != ".jsonl":
        yield from map(_as_record, table_rows(path))
    else:
        lines = _lines(path)
        first = next(lines, None)
        if first is not None:
            whole = chain([first], lines)
            yield from whole if "schema_version" in first else map(_as_record, whole)


def _lines(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        while lines := file.readlines(_BLOCK):
            yield from parsed(b"".join(lines), str(path))


def _as_record(row: dict[str, Any]) -> Record:
    return {"features": row, "context": row, "score": row.get("score"), "decision": row.get("decision")}
