"""What every logger is given, and how that is timed. No import of a library: each runs in an environment of its own."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TARGET = Path(sys.argv[2])
_PIECE, _PAUSE = 200, 0.01  # rows at once, and seconds between: quicker than any server asks
_TIMES = 2


def time_it(log: Callable[[dict[str, Any]], Any], finish: Callable[[], Any]) -> None:
    """Log the rows of the file sys.argv[1]; print CPU µs a row: the caller's, and all until the rows are in files."""
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_bytes().splitlines()]
    for row in rows[:_PIECE]:
        log(row)
    caller, begun, count = 0.0, time.process_time(), 0
    for _ in range(_TIMES):
        for start in range(0, len(rows), _PIECE):
            before = time.thread_time()
            for row in rows[start : start + _PIECE]:
                log(row)
            caller += time.thread_time() - before
            count += len(rows[start : start + _PIECE])
            time.sleep(_PAUSE)
    finish()
    total = time.process_time() - begun
    print(json.dumps({"caller": caller / count * 1e6, "total": total / count * 1e6, "expected": count + _PIECE}))
