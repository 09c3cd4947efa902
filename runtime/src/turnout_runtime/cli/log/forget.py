"""`turnout log forget`: delete all rows about an entity, and prove it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from turnout_runtime.cli.parsers import Groups

if TYPE_CHECKING:
    from turnout_runtime.analysis.upkeep.forget import Receipt


def add_command(actions: Groups) -> None:
    """Register it."""
    forget = actions.add_parser(
        "forget",
        help="delete all rows about an entity, and prove it",
        description="Rewrites the files that hold rows about the entities (predictions, shadows, feedback), each at"
        " once; then reads everything again. Pods' directories first, then sinks: what is on its way arrives late.",
    )
    forget.add_argument("entities", nargs="+", metavar="ENTITY_ID")
    forget.add_argument("log", metavar="LOG", help="a pod's directory, a sink's root, s3://…")
    forget.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="LOG",
        help="more of the same log: feedback lies by its prediction",
    )
    forget.add_argument("--hashed-with", type=Path, metavar="KEYFILE", help="the key of predictionLog.hash")
    forget.add_argument("--receipt", type=Path, metavar="FILE.json", help="what was done, with digests of the files")
    forget.set_defaults(run=_forget)


def _forget(arguments: argparse.Namespace) -> None:
    from dataclasses import asdict
    from datetime import UTC, datetime

    import orjson

    from turnout_runtime.analysis.upkeep.forget import forget
    from turnout_runtime.cli.progress import bar
    from turnout_runtime.times import rfc3339

    key = None if arguments.hashed_with is None else _key(arguments.hashed_with)
    receipt = forget(arguments.log, arguments.entities, key, bar, arguments.also)
    if arguments.receipt is not None:
        document = {"time": rfc3339(datetime.now(UTC)), "log": [arguments.log, *arguments.also], **asdict(receipt)}
        arguments.receipt.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    _tell(receipt)


def _key(path: Path) -> bytes:
    from turnout_runtime.errors import LogInvalid

    key = path.read_bytes().strip()
    if not key:
        raise LogInvalid(f"--hashed-with {path}: the file is empty")
    return key


def _tell(receipt: "Receipt") -> None:
    from turnout_runtime.errors import LogInvalid

    for each in receipt.files:
        after = f"{each.after[:15]}…" if each.after else "deleted, as nothing else was in it"
        print(f"{each.file}: {each.removed:,} rows removed, {each.before[:15]}… → {after}")
    print(f"{receipt.removed:,} rows of {len(receipt.files):,} files removed")
    left = sum(receipt.left.values())
    print(f"read again: {receipt.read_again:,} files, {left:,} rows left")
    if left:
        raise LogInvalid(
            f"{left:,} rows are left in {', '.join(receipt.left)}: a pod is writing there, or has since: run this again"
            " when it has sealed the file (predictionLog.rotate.age, 60 s), or has ended"
        )
