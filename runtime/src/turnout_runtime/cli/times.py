"""Options that take times: one way to write them for all commands."""

import argparse
from datetime import UTC, datetime

from turnout_runtime.times import moment_of, seconds_of

WHEN = "RFC 3339, a date, or 30m, 24h, 7d ago"


def span(text: str) -> float:
    """An option's span of time, in seconds."""
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def moment(text: str) -> datetime:
    """An option's time, in UTC."""
    try:
        return moment_of(text, datetime.now(UTC))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_range(parser: argparse.ArgumentParser) -> None:
    """`--since` and `--until`."""
    parser.add_argument("--since", type=moment, metavar="TIME", help=f"records from then on: {WHEN}")
    parser.add_argument("--until", type=moment, metavar="TIME", help="records before this time")
