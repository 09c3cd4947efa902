"""What all readers of logs take: where the log is, and of which time."""

import argparse
from typing import TYPE_CHECKING

from turnout_runtime.cli.times import add_range

if TYPE_CHECKING:
    from turnout_runtime.analysis.source import LogSource

_HELP = "a pod's directory, one that holds several, a sink's root, s3://…, a pattern, or a file"


def add_places(parser: argparse.ArgumentParser, ranged: bool = True) -> None:
    """The argument `places`, and a range of time."""
    parser.add_argument("places", nargs="+", metavar="LOG", help=_HELP)
    if ranged:
        add_range(parser)


def source_of(arguments: argparse.Namespace, objective: str | None = None) -> "LogSource":
    """The log that the arguments name, or an objective's part of it; raises `LogInvalid`."""
    from turnout_runtime.analysis.places import Range
    from turnout_runtime.analysis.source import LogSource

    return LogSource(arguments.places, Range(arguments.since, arguments.until), objective)
