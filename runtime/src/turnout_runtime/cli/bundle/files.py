"""`turnout bundle digest | pack`: a bundle as mere files; none of its code runs."""

import argparse
import io
from pathlib import Path

from turnout_runtime.bundle.archive import digest_archive, members, pack
from turnout_runtime.bundle.digest import digest_of, sha256_of
from turnout_runtime.bundle.manifest import FILE, Manifest, check_files, parse
from turnout_runtime.bundle.tree import digest_folder, hash_folder
from turnout_runtime.cli.parsers import Groups
from turnout_runtime.cli.progress import bar
from turnout_runtime.errors import BundleInvalid, BundleNotFound


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
    bundle = arguments.bundle
    print(digest_folder(bundle) if bundle.is_dir() else digest_archive(existing(bundle)))


def _pack(arguments: argparse.Namespace) -> None:
    folder, out = arguments.folder, arguments.output
    check_output(folder, out)
    describe(folder)
    pack(folder, out, bar)
    print(digest_archive(out))


def check_output(folder: Path, out: Path) -> None:
    """Raise for a bundle that is no folder, and for an archive that would become a part of it."""
    if not folder.is_dir():
        raise BundleNotFound(f"{folder} is not a folder")
    if out.resolve().is_relative_to(folder.resolve()):
        raise BundleInvalid(f"{out} is inside the bundle: write the archive somewhere else")


def describe(bundle: Path) -> tuple[Manifest, str]:
    """The checked manifest and the digest of a folder or archive; raises `BundleInvalid` or `BundleNotFound`."""
    if bundle.is_dir():
        hashes = hash_folder(bundle, bar)
        text = (bundle / FILE).read_bytes() if FILE in hashes else None
    else:
        hashes, text = _unpacked(existing(bundle))
    if text is None:
        raise BundleInvalid(f"no {FILE} at the root of {bundle}")
    manifest = parse(text)
    check_files(manifest, hashes)
    return manifest, digest_of(hashes)


def _unpacked(archive: Path) -> tuple[dict[str, str], bytes | None]:
    hashes, text = {}, None
    for path, content in members(archive):
        if path == FILE:
            text = content.read()
            hashes[path] = sha256_of(io.BytesIO(text))
        else:
            hashes[path] = sha256_of(content)
    return hashes, text


def existing(path: Path) -> Path:
    """The path of a file; raises `BundleNotFound`."""
    if not path.is_file():
        raise BundleNotFound(f"{path} does not exist")
    return path
