"""Makes a complete segment into Parquet files, one for each partition: `python -m turnout_runtime.ship.convert`.

A process of its own, which ends with its segment: its memory is given back at once, and a segment that ends it, or is
too much for the container, does not end the shipper. It prints what it made as one JSON object.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.segments import segment_of
from turnout_runtime.offline.database import opened
from turnout_runtime.ship.intact import pieces, scan
from turnout_runtime.ship.naming import file_name
from turnout_runtime.ship.parquet import Parquet

MEMORY = 160
"""MiB that DuckDB may use."""
REJECTED, FAILED = 3, 4
"""Exit codes: the segment is to blame, or the disk."""


def convert(segment: Path, out: Path, pod: str) -> dict[str, Any]:
    """Write the segment's files to `out`, a folder below the segment's.

    Returns `files` (path, name below a root, rows, bytes), `rows`, `unreadable` rows that are in no file, and `damaged`
    bytes. Raises `LogInvalid` when nothing of it can be converted, and `OSError`. Changes the working directory.
    """
    found, parts = scan(segment), segment_of(segment.name)
    if parts is None or not found.longest:
        raise LogInvalid("there is no record in it that is whole, and of a size that can be converted")
    os.chdir(segment.parent)
    inside = out.relative_to(segment.parent)
    settings = {"threads": 1, "memory_limit": f"{MEMORY}MB", "preserve_insertion_order": False}
    spill = {"temp_directory": str(inside), "autoinstall_known_extensions": False}
    with opened({**settings, **spill}, "shipping files", _failed) as connection:
        parquet = Parquet(connection, parts.kind, inside, found.longest, found.small)
        whole, rows = parquet.write(pieces(Path(segment.name), found, inside / "piece.jsonl"))
        name = file_name(pod, parts.stem)
        files = [
            {
                "path": made.path.name,
                "name": f"{made.folder}/{name}",
                "rows": made.rows,
                "bytes": made.path.stat().st_size,
            }
            for made in (parquet.split(whole) if rows else ())
        ]
    return {"files": files, "rows": rows, "unreadable": found.rows - rows, "damaged": found.damaged}


def _failed(error: Exception | str) -> LogInvalid:
    """Not the segment's fault when the disk is full, or refuses."""
    if type(error).__name__ == "IOException":
        raise OSError(_line(error)) from None
    return LogInvalid(_line(error))


def _line(error: Exception | str) -> str:
    return str(error).partition("\n")[0][:300]


def main() -> int:
    """`convert SEGMENT OUT POD`."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # rather this process than the shipper
    segment, out, pod = sys.argv[1:]
    try:
        made, code = convert(Path(segment), Path(out), pod), 0
    except LogInvalid as error:
        made, code = {"error": str(error)}, REJECTED
    except OSError as error:
        made, code = {"error": str(error)}, FAILED
    sys.stdout.buffer.write(orjson.dumps(made))
    return code


if __name__ == "__main__":
    sys.exit(main())
