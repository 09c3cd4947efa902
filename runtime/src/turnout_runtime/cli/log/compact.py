"""`turnout log compact`: the small files of an hour into one."""

import argparse

from turnout_runtime.cli.parsers import Groups
from turnout_runtime.cli.times import span


def add_command(actions: Groups) -> None:
    """Register it."""
    compact = actions.add_parser("compact", help="merge the small shipped files of each hour into one")
    compact.add_argument("root", metavar="ROOT", help="a sink's root: a folder, or s3://bucket/prefix")
    compact.add_argument(
        "--older-than", type=span, default=7200.0, metavar="SPAN", help="hours that ended that long ago (2h)"
    )
    compact.set_defaults(run=_compact)


def _compact(arguments: argparse.Namespace) -> None:
    from datetime import UTC, datetime, timedelta

    from turnout_runtime.analysis.upkeep.compact import compact
    from turnout_runtime.cli.progress import bar

    done = compact(arguments.root, datetime.now(UTC) - timedelta(seconds=arguments.older_than), bar)
    files, before, after = (sum(getattr(each, name) for each in done) for name in ("files", "before", "after"))
    hours = sum(each.files > 0 for each in done)
    print(f"{files:,} files of {hours:,} hours merged into {hours:,}: {before:,} bytes before, {after:,} after")
    if leftovers := sum(each.leftovers for each in done):
        print(f"{leftovers:,} files deleted that had been merged before")
