"""What windows are compared to: another log, a file of one, or a table such as a training set."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.places import Range
from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.evaluation.records import Record, log_at, parsed, records_of
from turnout_runtime.evaluation.sampling import even
from turnout_runtime.evaluation.tables import table_rows
from turnout_runtime.log.read import blocks_of
from turnout_runtime.objectstore import is_remote

_ALL = Range()


def reference(place: str, during: Range = _ALL) -> Iterator[Record]:
    """Records of a log or of a file of one, or a table's rows as records; raises `EvaluationInvalid`.

    A column of a table is compared to the feature of its name, to the field of the context, and to score and decision.
    """
    path = Path(place)
    if is_remote(place) or path.is_dir():
        source = log_at([place], during, "--reference")
        yield from even(source, lambda: records_of(source))
    elif not path.is_file():
        raise EvaluationInvalid(f"--reference {path}: no such file or directory")
    elif path.suffix != ".jsonl":
        yield from map(_as_record, table_rows(path))
    else:
        rows = (row for piece in blocks_of(path) for row in parsed(piece.payload, place))
        first = next(rows, None)
        if first is None and path.stat().st_size:
            raise EvaluationInvalid(f"{place} has a line that is not JSON: give JSON Lines, or a file of a log")
        if first is not None:
            whole = chain([first], rows)
            yield from whole if "schema_version" in first else map(_as_record, whole)


def _as_record(row: dict[str, Any]) -> Record:
    return {"features": row, "context": row, "score": row.get("score"), "decision": row.get("decision")}
