"""`turnout`: what authors and operators of bundles type.

Each module of this package is one group of commands and registers it with `add_commands(groups)`; a command is a
function of its parsed arguments, set as their default `run`. Modules import what is slow inside their functions, so
that `turnout --help` is quick.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from turnout_runtime.cli import batch, bundle, drift, log, ope, replay
from turnout_runtime.errors import TurnoutError
from turnout_runtime.failure import redact

_GROUPS = (bundle, batch, log, drift, replay, ope)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when it did what was asked, 1 with one line on stderr when it could not."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except BrokenPipeError:  # the reader of our output has seen enough; nor shall the flush at exit complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    except (TurnoutError, OSError) as error:
        print(f"turnout: {redact(_told(error))}", file=sys.stderr)
        return 1
    return 0


def _told(error: Exception) -> str:
    """The file before what is wrong with it, and no number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


class _Version(argparse.Action):
    """Looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"turnout {version('turnout-runtime')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="turnout", description="Tools for Turnout's bundles and prediction logs.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in _GROUPS:
        group.add_commands(groups)
    return parser
