"""`turnout log cat`: all records as they were written."""

import argparse
import sys
from pathlib import Path

from turnout_runtime.cli.parsers import Groups


def add_command(actions: Groups) -> None:
    """Register it."""
    cat = actions.add_parser("cat", help="print all records of a log directory, oldest file first")
    cat.add_argument("directory", type=Path, metavar="DIR")
    cat.set_defaults(run=_cat)


def _cat(arguments: argparse.Namespace) -> None:
    from turnout_runtime.log.read import rows

    for block in rows(arguments.directory):
        sys.stdout.buffer.write(block)
    sys.stdout.flush()
