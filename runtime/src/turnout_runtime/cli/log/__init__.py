"""`turnout log`: read prediction logs."""

from turnout_runtime.cli.log import cat, query, show, tail
from turnout_runtime.cli.parsers import Groups

_ACTIONS = (cat, show, tail, query)


def add_commands(groups: Groups) -> None:
    """Register the group."""
    log = groups.add_parser("log", help="read prediction logs")
    actions = log.add_subparsers(required=True, metavar="ACTION")
    for action in _ACTIONS:
        action.add_command(actions)
