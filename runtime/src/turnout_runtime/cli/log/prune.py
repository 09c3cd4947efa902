"""`turnout log prune`: delete what is kept no longer at a sink's root."""

import argparse

from turnout_runtime.cli.parsers import Groups
from turnout_runtime.cli.times import span


def add_command(actions: Groups) -> None:
    """Register it."""
    prune = actions.add_parser("prune", help="delete shipped files by age and size")
    prune.add_argument("root", metavar="ROOT", help="a sink's root: a folder, or s3://bucket/prefix")
    prune.add_argument("--older-than", type=span, metavar="SPAN", help="files whose hour ended that long ago: 30d, 12h")
    prune.add_argument("--max-size", type=_size, metavar="BYTES", help="the oldest beyond that: 100Gi, 500M")
    prune.add_argument("--namespace", help="of this namespace only; needs --objective")
    prune.add_argument("--objective", help="of this objective only; needs --namespace")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    prune.set_defaults(run=_prune)


def _size(text: str) -> int:
    from turnout_runtime.cli.sizes import bytes_of

    try:
        return bytes_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _prune(arguments: argparse.Namespace) -> None:
    import asyncio
    from datetime import UTC, datetime

    from turnout_runtime.errors import LogInvalid
    from turnout_runtime.ship.naming import prefixes, scope
    from turnout_runtime.ship.retention import Keep, prune
    from turnout_runtime.ship.roots import root_of

    keep = Keep(arguments.older_than, arguments.max_size)
    if keep == Keep(None, None):
        raise LogInvalid("give --older-than, --max-size or both")
    if (arguments.namespace is None) != (arguments.objective is None):
        raise LogInvalid("--namespace and --objective go together")
    one = arguments.namespace is not None
    below = prefixes([scope(arguments.namespace, arguments.objective)] if one else None)
    root = root_of(arguments.root)
    gone = asyncio.run(prune(root, below, keep, datetime.now(UTC), dry=arguments.dry_run))
    did = "would delete" if arguments.dry_run else "deleted"
    for file in gone if arguments.dry_run else ():
        print(file.name)
    print(f"{did} {len(gone):,} files, {sum(file.size for file in gone):,} bytes")
