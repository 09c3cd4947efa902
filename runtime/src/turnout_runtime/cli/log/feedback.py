"""`turnout log feedback`: send labels and rewards to an objective."""

import argparse
import sys
from typing import TYPE_CHECKING

from turnout_runtime.cli.log.label_options import add_label_columns, label_columns
from turnout_runtime.cli.parsers import Groups

if TYPE_CHECKING:
    from turnout_runtime.feedback.send import Sent

_SHOWN = 10  # refused rows


def add_command(actions: Groups) -> None:
    """Register it."""
    feedback = actions.add_parser(
        "feedback",
        help="send a table of labels or rewards to an objective",
        description="Sends the rows of a table to the objective's feedback endpoint, in chunks, and again where it is"
        " busy. Rows that are refused are told; sending a row twice does no harm. Its exit status is 0 when all rows"
        " were accepted.",
    )
    feedback.add_argument("url", metavar="URL", help="of the objective, such as http://gateway/v1/flights/flight-delay")
    feedback.add_argument("--labels", required=True, metavar="FILE", help="Parquet, CSV or JSON Lines, also s3://…")
    add_label_columns(feedback)
    feedback.add_argument("--source", metavar="TEXT", help="who says so; default: the column source, if it is there")
    feedback.add_argument(
        "--header", action="append", default=[], metavar="'NAME: VALUE'", help="sent along; repeat it"
    )
    feedback.add_argument("--dry-run", action="store_true", help="only check the rows")
    feedback.set_defaults(run=_feedback)


def _feedback(arguments: argparse.Namespace) -> None:
    import asyncio

    from turnout_runtime.analysis.outgoing import outgoing
    from turnout_runtime.cli.progress import bar
    from turnout_runtime.errors import LogInvalid
    from turnout_runtime.feedback.send import Sent, endpoint, send

    url, headers = endpoint(arguments.url), dict(_header(text) for text in arguments.header)
    with outgoing(label_columns(arguments), arguments.source) as table:
        with bar(arguments.labels, table.count, " rows") as tell:
            if arguments.dry_run:
                sent = Sent(sum(1 for _ in table.rows()))
            else:
                sent = asyncio.run(send(url, table.rows(), tell, headers=headers))
        sent.refused = sorted([*sent.refused, *table.refused])
    _print(sent, arguments.labels, "can be sent" if arguments.dry_run else "accepted")
    if sent.refused:
        raise LogInvalid(f"{arguments.labels}: {len(sent.refused):,} of {table.count:,} rows were refused")


def _print(sent: "Sent", name: str, done: str) -> None:
    print(f"{name}: {sent.accepted:,} rows {done}", flush=True)
    for number, reason in sent.refused[:_SHOWN]:
        print(f"row {number}: {reason}", file=sys.stderr)
    if len(sent.refused) > _SHOWN:
        print(f"… and {len(sent.refused) - _SHOWN:,} more", file=sys.stderr)


def _header(text: str) -> tuple[str, str]:
    from turnout_runtime.errors import LogInvalid

    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise LogInvalid("--header: give 'NAME: VALUE'")  # not the text itself, which may be a secret
    return name.strip(), value.strip()
