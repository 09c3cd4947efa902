"""What all readers of logs take: where the log is."""

import argparse

_HELP = "the log's directory, one that holds several pods' directories, a pattern, or a file"


def add_places(parser: argparse.ArgumentParser) -> None:
    """The argument `places`."""
    parser.add_argument("places", nargs="+", metavar="DIR", help=_HELP)
