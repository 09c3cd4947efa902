"""`turnout`: what authors and operators of bundles type."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from turnout_runtime.bundle.archive import digest_archive, members, pack
from turnout_runtime.bundle.digest import PATTERN
from turnout_runtime.bundle.manifest import FILE, Manifest, check_files, parse
from turnout_runtime.bundle.tree import digest_folder, files_in
from turnout_runtime.errors import BundleInvalid, BundleNotFound, DigestMismatch, TurnoutError
from turnout_runtime.log.read import rows


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when it did what was asked, 1 with one line on stderr when it could not."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except BrokenPipeError:  # the reader of our output has seen enough; nor shall the flush at exit complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (TurnoutError, OSError) as error:
        print(f"turnout: {error}", file=sys.stderr)
        return 1
    return 0


def _digest(arguments: argparse.Namespace) -> None:
    print(_digest_of(arguments.bundle))


def _pack(arguments: argparse.Namespace) -> None:
    folder, out = arguments.folder, arguments.output
    if not folder.is_dir():
        raise BundleNotFound(f"{folder} is not a folder")
    if out.resolve().is_relative_to(folder.resolve()):
        raise BundleInvalid(f"{out} is inside the bundle: write the archive somewhere else")
    _describe(folder)
    pack(folder, out)
    print(digest_archive(out))


def _verify(arguments: argparse.Namespace) -> None:
    manifest = _describe(arguments.bundle)
    digest = _digest_of(arguments.bundle)
    if arguments.digest and arguments.digest != digest:
        raise DigestMismatch(f"wanted {arguments.digest}, got {digest}")
    print(f"{manifest.name} {manifest.version} {digest}")


def _cat(arguments: argparse.Namespace) -> None:
    for block in rows(arguments.directory):
        sys.stdout.buffer.write(block)
    sys.stdout.flush()


def _describe(bundle: Path) -> Manifest:
    """The checked manifest of a folder or archive; raises `BundleInvalid` or `BundleNotFound`."""
    if bundle.is_dir():
        files, text = files_in(bundle), _read(bundle / FILE)
    else:
        contents = {path: content.read() if path == FILE else b"" for path, content in members(_existing(bundle))}
        files, text = list(contents), contents.get(FILE)
    if text is None:
        raise BundleInvalid(f"no {FILE} at the root of {bundle}")
    manifest = parse(text)
    check_files(manifest, files)
    return manifest


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _digest_of(bundle: Path) -> str:
    return digest_folder(bundle) if bundle.is_dir() else digest_archive(_existing(bundle))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise BundleNotFound(f"{path} does not exist")
    return path


def _digest_text(text: str) -> str:
    if not PATTERN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not sha256:<64 lower-case hex digits>")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="turnout", description="Tools for Turnout's bundles and prediction logs.")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")
    bundle = groups.add_parser("bundle", help="make and check bundles").add_subparsers(required=True, metavar="ACTION")

    digest = bundle.add_parser("digest", help="print a bundle's digest")
    digest.add_argument("bundle", type=Path, metavar="DIR|TAR")
    digest.set_defaults(run=_digest)

    packing = bundle.add_parser("pack", help="write a folder as a reproducible .tar.gz and print its digest")
    packing.add_argument("folder", type=Path, metavar="DIR")
    packing.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.tar.gz")
    packing.set_defaults(run=_pack)

    verify = bundle.add_parser("verify", help="check a bundle's files, bundle.yaml and, if given, its digest")
    verify.add_argument("bundle", type=Path, metavar="DIR|TAR")
    verify.add_argument("--digest", type=_digest_text, metavar="sha256:…")
    verify.set_defaults(run=_verify)

    log = groups.add_parser("log", help="read prediction logs").add_subparsers(required=True, metavar="ACTION")
    cat = log.add_parser("cat", help="print all records of a log directory, oldest file first")
    cat.add_argument("directory", type=Path, metavar="DIR")
    cat.set_defaults(run=_cat)
    return parser


if __name__ == "__main__":
    sys.exit(main())
