"""`turnout bundle build`: from an author's folder to a checked archive that says all about itself.

The author's folder stays as it is. What is built is a copy without tools' files, whose bundle.yaml also has the sha256
of every model and artifact, the schemas of the code, and their hash on the card; and sketches of the training table
where that is given.
"""

import argparse
import sys
from pathlib import Path

from turnout_runtime.cli.parsers import Groups, add_triton


def add_command(actions: Groups) -> None:
    """Register it."""
    build = actions.add_parser(
        "build",
        help="check a folder, fill in hashes and schemas, and write the .tar.gz for the cluster",
        description="Writes the archive and prints its digest. The folder is not changed.",
    )
    build.add_argument("folder", type=Path, metavar="DIR")
    build.add_argument(
        "-o", "--output", type=Path, metavar="OUT.tar.gz", help="by default NAME-VERSION.tar.gz beside the folder"
    )
    build.add_argument(
        "--reference",
        metavar="TABLE|LOG",
        help="what it was trained on, to keep sketches of",
    )
    add_triton(build)
    build.set_defaults(run=_build)


def _build(arguments: argparse.Namespace) -> None:
    from turnout_runtime.bundle.archive import pack
    from turnout_runtime.cli.bundle.completed import complete
    from turnout_runtime.cli.bundle.opened import check_output, copied, model_server, read_manifest
    from turnout_runtime.cli.progress import bar

    folder: Path = arguments.folder
    manifest = read_manifest(folder)
    file_name = f"{manifest.name}-{manifest.version}.tar.gz".replace("/", "-")
    out = arguments.output or folder.resolve().parent / file_name
    check_output(folder, out)
    with copied(folder) as copy:
        held, digest = complete(copy, model_server(arguments), arguments.reference)
        pack(copy, out, bar)
    golden = f"{held} golden examples hold" if held else "it has no golden examples"
    print(f"{manifest.name} {manifest.version}: {golden}; wrote {out} ({out.stat().st_size:,} bytes)", file=sys.stderr)
    print(digest)
