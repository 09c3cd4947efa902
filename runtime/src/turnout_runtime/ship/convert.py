"""Makes complete segments into Parquet files, one for each partition: `python -m turnout_runtime.ship.convert`.

A process of its own, which ends with its work: its memory is given back at once, and a segment that ends it, or is too
much for the container, does not end the shipper. It prints a JSON object for each segment.
"""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from turnout_runtime.errors import LogInvalid
from turnout_runtime.log.segments import SEALED, segment_of
from turnout_runtime.offline.database import opened
from turnout_runtime.ship.intact import pieces, scan
from turnout_runtime.ship.naming import file_name
from turnout_runtime.ship.parquet import Parquet

MEMORY = 160
"""MiB that DuckDB may use."""


def convert(segment: str, out: Path, pod: str) -> dict[str, Any]:
    """Write the files of a segment, which is in the working directory, to `out`, a folder below it.

    Returns `files` (path, name below a root, rows, bytes), `unreadable` rows that are in no file, and `damaged` bytes.
    Raises `LogInvalid` when nothing of it can be converted, and `OSError`.
    """
    found, parts = scan(Path(segment)), segment_of(segment)
    if parts is None or not found.longest:
        raise LogInvalid("there is no record in it that is whole, and of a size that can be converted")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    settings = {"threads": 1, "memory_limit": f"{MEMORY}MB", "preserve_insertion_order": False}
    spill = {"temp_directory": str(out), "autoinstall_known_extensions": False}
    with opened({**settings, **spill}, "shipping files", _failed) as connection:
        parquet = Parquet(connection, parts.kind, out, found.longest, found.small)
        whole, rows = parquet.write(pieces(Path(segment), found, out / "piece.jsonl"))
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
    return {"files": files, "unreadable": found.rows - rows, "damaged": found.damaged}


def _failed(error: Exception | str) -> LogInvalid:
    """Not the segment's fault when the disk is full, or refuses."""
    if type(error).__name__ == "IOException":
        raise OSError(_line(error)) from None
    return LogInvalid(_line(error))


def _line(error: Exception | str) -> str:
    return str(error).partition("\n")[0][:300]


def main() -> None:
    """`convert DIRECTORY SPOOL POD SEGMENT…`."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # rather this process than the shipper
    directory, spool, pod, *segments = sys.argv[1:]
    os.chdir(directory)
    for segment in segments:
        out = Path(spool).relative_to(directory) / segment.removesuffix(SEALED)
        try:
            sys.stdout.buffer.write(orjson.dumps(_said(segment, out, pod), option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.flush()
        except BrokenPipeError:
            os._exit(1)  # the shipper was killed; the next one begins anew


def _said(segment: str, out: Path, pod: str) -> dict[str, Any]:
    try:
        return convert(segment, out, pod)
    except LogInvalid as error:  # the segment is to blame
        return {"rejected": str(error)}
    except OSError as error:
        return {"failed": str(error)}


if __name__ == "__main__":
    main()
