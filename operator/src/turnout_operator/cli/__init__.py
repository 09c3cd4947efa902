"""`kubectl turnout`: what people ask about their policies.

Each module registers its commands with `add_commands(groups)`; a command is a function of its parsed arguments that
returns the exit code, set as their default `run`. Modules import what is slow inside their functions.
"""

import argparse
import sys
from collections.abc import Sequence

from turnout_operator.cli import policy, route
from turnout_operator.cli.errors import CommandError

_GROUPS = (route, policy)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all is well, 1 when the answer is no, 2 with one line on stderr when there is none."""
    parser = argparse.ArgumentParser(prog="kubectl turnout", description="Ask which arm answers a request, and why.")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in _GROUPS:
        group.add_commands(groups)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except (CommandError, OSError) as error:
        print(f"turnout: {_told(error)}", file=sys.stderr)
        return 2
    return code


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
