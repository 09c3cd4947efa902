"""`turnout bundle`: make, check and try bundles."""

from turnout_runtime.cli.bundle import build, files, golden, init, run, verify
from turnout_runtime.cli.parsers import Groups

_ACTIONS = (init, run, golden, build, verify, files)


def add_commands(groups: Groups) -> None:
    """Register the group."""
    bundle = groups.add_parser("bundle", help="make, check and try bundles")
    actions = bundle.add_subparsers(required=True, metavar="ACTION")
    for action in _ACTIONS:
        action.add_command(actions)
