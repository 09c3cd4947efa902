"""Where tables and parts lie: folders of this machine, or prefixes of an object store.

Files appear whole or not at all.
"""

import os
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Protocol

from turnout_runtime.errors import BatchInvalid

_REMOTE = ("s3://", "gs://", "az://")
_COPY = 8 * 1024**2


class Folder(Protocol):
    """Files by name under one place; names have `/` between their parts. Raises `OSError` or `BatchInvalid`."""

    def names(self) -> list[str]:
        """All files below, sorted."""

    def stamp(self, name: str) -> str | None:
        """What changes whenever the file does; None when there is no such file."""

    def fetch(self, name: str, scratch: Path) -> Path:
        """The file on this machine: itself, or a copy in `scratch`."""

    def put(self, source: Path, name: str) -> None:
        """Store the local file's content under the name, replacing what was there; `source` may be gone afterwards."""

    def remove(self, name: str) -> None:
        """Delete the file, if it is there."""

    def below(self, path: str) -> "Folder":
        """A folder inside this one."""


def folder_of(uri: str) -> Folder:
    """The folder that a path or URL names; raises `BatchInvalid` for a scheme that nothing here reads."""
    if uri.startswith(_REMOTE):
        from turnout_runtime.offline.objects import ObjectFolder  # an extra

        return ObjectFolder(uri.rstrip("/"))
    if "://" in uri and not uri.startswith("file://"):
        raise BatchInvalid(f"{uri.partition('://')[0]}: no such scheme here: use a path, or {', '.join(_REMOTE)}")
    return LocalFolder(Path(uri.removeprefix("file://") or "."))


def split(uri: str) -> tuple[Folder, str]:
    """The folder that holds a file, and the file's name in it."""
    head, slash, name = uri.rpartition("/")
    return folder_of(head + slash if slash else "."), name


def matching(uri: str) -> tuple[Folder, list[str]]:
    """The folder and the names of the files that `uri` means: one file, a folder (ends in /), or a pattern with `*`.

    Files whose name begins with `_` or `.` belong to other programs and are left out. Raises `BatchInvalid` when
    there is nothing.
    """
    if uri.endswith("/") or ("://" not in uri and Path(uri).is_dir()):
        folder = folder_of(uri)
        names = [name for name in folder.names() if _visible(name)]
    elif "*" in uri:
        folder, pattern = split(uri)
        names = [name for name in folder.names() if "/" not in name and _visible(name) and fnmatchcase(name, pattern)]
    else:
        folder, name = split(uri)
        names = [name] if folder.stamp(name) is not None else []
    if not names:
        hint = "; a pattern may stand in the file's name only" if "*" in uri.rpartition("/")[0] else ""
        raise BatchInvalid(f"{uri}: there is no such file: check the path, and that this process may read it{hint}")
    return folder, names


def includes(uri: str, folder: str, name: str) -> bool:
    """Whether a table's `uri` means the file `name` of `folder`, or would if it were there."""
    target = f"{_absolute(folder)}/{name}"
    if uri.endswith("/") or ("://" not in uri and Path(uri).is_dir()):
        inside = f"{_absolute(uri)}/"
        return target.startswith(inside) and _visible(target.removeprefix(inside))
    head, _, last = uri.rpartition("/")
    if "*" in last:
        return _absolute(head) == _absolute(folder) and _visible(name) and fnmatchcase(name, last)
    return _absolute(uri) == target


def _absolute(uri: str) -> str:
    return uri.rstrip("/") if uri.startswith(_REMOTE) else os.path.realpath(uri.removeprefix("file://") or ".")


def _visible(name: str) -> bool:
    return not any(part.startswith(("_", ".")) for part in PurePosixPath(name).parts)


class LocalFolder:
    """A folder of this machine, made when something is put there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """See `Folder`."""
        return sorted(path.relative_to(self._path).as_posix() for path in self._path.rglob("*") if path.is_file())

    def stamp(self, name: str) -> str | None:
        """See `Folder`; size and time of the last change."""
        path = self._path / name
        if not path.is_file():
            return None
        status = path.stat()
        return f"{status.st_size}-{status.st_mtime_ns}"

    def fetch(self, name: str, scratch: Path) -> Path:
        """See `Folder`."""
        return self._path / name

    def put(self, source: Path, name: str) -> None:
        """See `Folder`; on the disk before it has its name."""
        target = self._path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{os.getpid()}.new")
        try:
            with source.open("rb") as content, beside.open("wb") as out:
                while block := content.read(_COPY):
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """See `Folder`; folders below this one go with their last file."""
        path = self._path / name
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self._path or not folder.is_dir() or any(folder.iterdir()):
                return
            folder.rmdir()

    def below(self, path: str) -> "LocalFolder":
        """See `Folder`."""
        return LocalFolder(self._path / path)
