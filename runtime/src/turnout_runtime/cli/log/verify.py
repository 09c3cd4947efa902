"""`turnout log verify`: whether a log is whole."""

import argparse

from turnout_runtime.cli.log.places import add_places
from turnout_runtime.cli.parsers import Groups


def add_command(actions: Groups) -> None:
    """Register it."""
    verify = actions.add_parser("verify", help="check every block and file, and that no record is there twice")
    add_places(verify, ranged=False)
    verify.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace) -> None:
    from turnout_runtime.analysis.upkeep.verify import verify
    from turnout_runtime.cli.progress import bar
    from turnout_runtime.errors import LogInvalid

    found = verify(arguments.places, bar)
    for kind, rows in found.rows.items():
        print(f"{kind}: {rows:,} rows in {found.files[kind]:,} files, {found.doubled[kind]:,} of them twice")
    if found.torn:
        print(f"{found.torn:,} bytes at the end of open segments: being written, or cut off when they are sealed")
    if found.leftovers:
        print(f"{found.leftovers:,} files were merged into others, and do not count: turnout log compact deletes them")
    for each in found.wrong:
        print(each)
    if not found.sound:
        raise LogInvalid(f"{len(found.wrong):,} faults, {sum(found.doubled.values()):,} records twice")
    print("sound")
