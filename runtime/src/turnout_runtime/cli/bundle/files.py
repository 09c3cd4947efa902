"""`turnout bundle digest | pack`: a bundle as mere files; none of its code runs."""

import argparse
from pathlib import Path

from turnout_runtime.cli.parsers import Groups


def add_command(actions: Groups) -> None:
    """Register both."""
    digest = actions.add_parser("digest", help="print a bundle's digest")
    digest.add_argument("bundle", type=Path, metavar="DIR|TAR")
    digest.set_defaults(run=_digest)

    packing = actions.add_parser("pack", help="write a folder as it is as a .tar.gz, and print its digest")
    packing.add_argument("folder", type=Path, metavar="DIR")
    packing.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.tar.gz")
    packing.set_defaults(run=_pack)


def _digest(arguments: argparse.Namespace) -> None:
    from turnout_runtime.bundle.local import digest_at

    print(digest_at(arguments.bundle))


def _pack(arguments: argparse.Namespace) -> None:
    from turnout_runtime.bundle.archive import pack
    from turnout_runtime.cli.bundle.opened import check_output, opened, read_manifest
    from turnout_runtime.cli.progress import bar

    folder, out = arguments.folder, arguments.output
    read_manifest(folder)
    check_output(folder, out)
    with opened(folder) as bundle:
        pack(folder, out, bar)
    print(bundle.digest)
