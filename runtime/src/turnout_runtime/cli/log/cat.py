"""`turnout log cat`: all records as they were written."""

import argparse
import sys

from turnout_runtime.cli.log.places import add_places
from turnout_runtime.cli.parsers import Groups


def add_command(actions: Groups) -> None:
    """Register it."""
    cat = actions.add_parser("cat", help="print all records as JSON lines, oldest file first")
    add_places(cat, ranged=False)
    cat.set_defaults(run=_cat)


def _cat(arguments: argparse.Namespace) -> None:
    from turnout_runtime.analysis.find import lines
    from turnout_runtime.analysis.source import LogSource

    for piece in lines(LogSource(arguments.places)):
        sys.stdout.buffer.write(piece)
    sys.stdout.flush()
