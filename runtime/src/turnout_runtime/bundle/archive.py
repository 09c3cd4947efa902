"""Bundles as tar files: packed reproducibly, unpacked safely.

Nothing of a tar is trusted: only plain files at safe paths are taken, their modes, owners and times are not, and
the bytes that come out of the decompressor are counted so that a small archive cannot fill a disk.
"""

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from turnout_runtime.bundle.digest import digest_of, sha256_of
from turnout_runtime.bundle.paths import MAX_BYTES, Budget, check_no_clash, check_path
from turnout_runtime.bundle.progress import Progress, Tell, quiet
from turnout_runtime.bundle.tree import files_in
from turnout_runtime.errors import BundleInvalid

_HEADERS = 64 * 1024**2  # tar headers and padding of MAX_FILES files fit in this
_LONG = 64 * 1024  # bytes of a header that tarfile reads at once: a name, a link's target, times
_IN_MEMORY = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class _Header(tarfile.TarInfo):
    """A header that does not make tarfile read gigabytes into memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _IN_MEMORY and self.size > _LONG:
            raise BundleInvalid("the bundle's archive has an oversized header: pack it again, as `turnout bundle` does")
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]  # the hook that tarfile names for it


class _Counted:
    """A reader that refuses to give more than `limit` bytes."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise BundleInvalid("the bundle's archive is larger than allowed when unpacked")
        return data


def members(archive: Path, budget: Budget | None = None) -> Iterator[tuple[str, IO[bytes]]]:
    """Each file of a tar or tar.gz with its content, which must be read before the next one.

    Raises `BundleInvalid` for anything that is not a plain file or folder at a safe path, and for a broken archive.
    """
    limits, seen = budget or Budget(), set[str]()
    try:
        with _stream(archive) as stream, _opened(stream) as tar:
            for member in tar:
                tar.members.clear()  # type: ignore[attr-defined]  # which tarfile keeps, all of them
                path = _checked(member)
                if path is None:
                    limits.add_folder()
                    continue
                if path in seen:
                    raise BundleInvalid(f"{path!r} is in the bundle's archive twice")
                seen.add(path)
                limits.add(path, member.size)
                yield path, cast(IO[bytes], tar.extractfile(member))
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise BundleInvalid(f"the bundle is not a readable .tar.gz: {error}") from error
    check_no_clash(seen)


def _opened(stream: _Counted) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|", tarinfo=_Header)


def _checked(member: tarfile.TarInfo) -> str | None:
    """The safe path of a file, None for a folder."""
    name = member.name.removeprefix("./")
    if member.isdir():
        if name != ".":
            check_path(name)
        return None
    if not member.isreg():
        raise BundleInvalid(f"{member.name!r} in the bundle is not a regular file (links and devices are refused)")
    return check_path(name)


class _Told:
    """A reader that tells of each block."""

    def __init__(self, stream: IO[bytes], tell: Tell) -> None:
        self._stream, self._tell = stream, tell

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._tell(len(data))
        return data


@contextmanager
def _stream(archive: Path) -> Iterator[_Counted]:
    with archive.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        plain = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
        yield _Counted(plain, MAX_BYTES + _HEADERS)


def digest_archive(archive: Path) -> str:
    """Digest of the bundle in a tar or tar.gz; raises `BundleInvalid`."""
    return digest_of({path: sha256_of(content) for path, content in members(archive)})


def unpack(archive: Path, folder: Path) -> None:
    """Write the archive's files under `folder` (it exists and is empty); raises `BundleInvalid`."""
    for path, content in members(archive):
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                shutil.copyfileobj(content, out, 1024**2)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise BundleInvalid(f"{path!r} is both a file and a folder in the bundle") from error


def pack(folder: Path, archive: Path, progress: Progress = quiet) -> None:
    """Write the folder as a .tar.gz whose bytes depend on its files only; the archive appears whole or not at all."""
    budget = Budget()
    paths = files_in(folder, budget)
    with tempfile.NamedTemporaryFile(dir=archive.parent, prefix=f".{archive.name}.", delete=False) as out:
        try:
            with progress("packing", budget.bytes, "B") as tell:
                _write(folder, paths, cast(IO[bytes], out), tell)
            os.chmod(out.name, 0o644)  # an archive to be shared, like any built file
            os.replace(out.name, archive)
        except BaseException:
            os.unlink(out.name)
            raise


def _write(folder: Path, paths: list[str], out: IO[bytes], tell: Tell) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed,
        tarfile.open(fileobj=cast(IO[bytes], packed), mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in paths:
            info = tarfile.TarInfo(path)
            info.size = (folder / path).stat().st_size
            with (folder / path).open("rb") as content:
                tar.addfile(info, cast(IO[bytes], _Told(content, tell)))
