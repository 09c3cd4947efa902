"""What several commands ask of a bundle's files; none of its code runs."""

import io
from pathlib import Path

from turnout_runtime.bundle.archive import members
from turnout_runtime.bundle.digest import digest_of, sha256_of
from turnout_runtime.bundle.manifest import FILE, Manifest, check_files, parse
from turnout_runtime.bundle.tree import hash_folder
from turnout_runtime.cli.progress import bar
from turnout_runtime.errors import BundleInvalid, BundleNotFound


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


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an author's folder; raises `BundleInvalid` saying how to get one."""
    if not (folder / FILE).is_file():
        raise BundleInvalid(f"no {FILE} in {folder}: `turnout bundle init NAME` writes a first one")
    return parse((folder / FILE).read_bytes())
