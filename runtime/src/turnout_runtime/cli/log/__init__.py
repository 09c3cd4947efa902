"""`turnout log`: read prediction logs, and send what came of predictions."""

from turnout_runtime.cli.log import (
    cat,
    compact,
    export,
    feedback,
    forget,
    labels,
    prune,
    quality,
    query,
    report,
    ship,
    show,
    tail,
    verify,
)
from turnout_runtime.cli.parsers import Groups

_ACTIONS = (cat, show, tail, query, labels, quality, report, export, feedback, ship, prune, forget, compact, verify)


def add_commands(groups: Groups) -> None:
    """Register the group."""
    log = groups.add_parser("log", help="read prediction logs; send what came of predictions")
    actions = log.add_subparsers(required=True, metavar="ACTION")
    for action in _ACTIONS:
        action.add_command(actions)
