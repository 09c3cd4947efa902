"""`turnout log tail`: records as they are written."""

import argparse
import os
import select
import sys
from typing import Any

from turnout_runtime.cli.log.places import add_places
from turnout_runtime.cli.parsers import Groups

_INTERVAL = 0.2  # seconds
_COLUMNS = (
    ("time", 15), ("status", 7), ("arm", 14), ("revision", 20), ("decision", 12), ("score", 8), ("ms", 8),
    ("fallback", 11), ("entity", 16), ("prediction_id", 22), ("error", 20),
)  # fmt: skip
_TO_THE_RIGHT = frozenset({"score", "ms"})


def add_command(actions: Groups) -> None:
    """Register it."""
    tail = actions.add_parser("tail", help="print records as they are written, until Ctrl-C")
    add_places(tail, ranged=False)
    tail.add_argument("-n", type=int, default=10, metavar="N", help="begin with those among the last N (default 10)")
    tail.add_argument("--no-follow", action="store_true", help="end after those")
    tail.add_argument("--arm")
    tail.add_argument("--status", choices=("ok", "shed", "timeout", "error", "invalid"))
    tail.add_argument("--revision")
    tail.add_argument("--fallback", nargs="?", const="", metavar="STEP", help="answers that rest on a fallback")
    tail.add_argument("--entity", metavar="ENTITY_ID")
    tail.add_argument("--where", metavar="SQL", help="a condition such as: features.distance > 1000 AND NOT shadow")
    tail.add_argument("--json", action="store_true", help="the records as they were written")
    tail.set_defaults(run=_tail)


def _tail(arguments: argparse.Namespace) -> None:
    from contextlib import suppress

    from turnout_runtime.analysis.database import database
    from turnout_runtime.analysis.tail import Where

    with suppress(KeyboardInterrupt):
        if arguments.where is None:
            _follow(arguments, None)
        else:
            with database() as connection:
                _follow(arguments, Where(connection, arguments.where))


def _follow(arguments: argparse.Namespace, where: Any) -> None:
    from turnout_runtime.analysis.follow import Follower
    from turnout_runtime.analysis.source import LogSource
    from turnout_runtime.analysis.tail import Wanted, newest, selected
    from turnout_runtime.errors import LogInvalid

    wanted = Wanted(arguments.arm, arguments.status, arguments.revision, arguments.fallback, arguments.entity)
    source = LogSource(arguments.places)
    if source.has_parquet and not source.segmented:
        raise LogInvalid(
            f"{' '.join(arguments.places)}: shipped files appear as a whole, and do not grow: give a pod's log, or see"
            " the newest with turnout log query and ORDER BY time DESC LIMIT 10"
        )
    follower = Follower(source, arguments.n)
    lines = newest(follower.new(), arguments.n)
    if not arguments.json:
        _write(_row({name: name for name, _ in _COLUMNS}))
    while True:
        for line, record in selected(lines, wanted, where):
            _write(line + b"\n" if arguments.json else _row(_cells(record)))
        if arguments.no_follow or _reader_is_gone():
            return
        lines = follower.new()


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.flush()


def _reader_is_gone() -> bool:
    """Wait a little; whether nobody reads our output any more, which else only the next record would tell."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(_INTERVAL * 1000))


def _cells(record: Any) -> dict[str, str]:
    score, total = record.get("score"), (record.get("stages_ms") or {}).get("total")
    shadow = " shadow" if record.get("shadow") else ""
    return {
        "time": str(record.get("time"))[11:26],
        "status": _text(record.get("status")),
        "arm": _text(record.get("arm")) + shadow,
        "revision": _text(record.get("revision")),
        "decision": _text(record.get("decision")),
        "score": "" if score is None else f"{score:.4g}",
        "ms": "" if total is None else f"{total:.3f}",
        "fallback": _text(record.get("fallback")),
        "entity": _text(record.get("entity_id")),
        "prediction_id": _text(record.get("prediction_id")),
        "error": _text(record.get("error_type")),
    }


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _row(cells: dict[str, str]) -> bytes:
    from turnout_runtime.analysis.text import clipped

    texts = [(name, clipped(cells[name], width), width) for name, width in _COLUMNS]
    fitted = (text.rjust(width) if name in _TO_THE_RIGHT else text.ljust(width) for name, text, width in texts)
    return f"{'  '.join(fitted).rstrip()}{os.linesep}".encode()
