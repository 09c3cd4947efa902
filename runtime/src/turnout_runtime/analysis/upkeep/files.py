"""All files of a log on this machine, one after the other."""

from collections.abc import Iterator
from pathlib import Path

from turnout_runtime.analysis.places import LogFile, files_of
from turnout_runtime.bundle.progress import Progress
from turnout_runtime.log.segments import Kind
from turnout_runtime.offline.place import LocalFolder


class Files:
    """Fetches what is in a store to `folder`, one file at a time: a log may be larger than this machine's disk."""

    def __init__(self, places: list[str], folder: Path, progress: Progress) -> None:
        """Raises `LogInvalid` for a place that does not exist."""
        self._places = places
        self.found = files_of(places)
        self._folder, self._progress = folder, progress

    def again(self) -> "Files":
        """The files that are there now."""
        return Files(self._places, self._folder, self._progress)

    def of(self, kind: Kind, doing: str) -> Iterator[tuple[LogFile, Path]]:
        """The files of a kind; one that has gone meanwhile is left out."""
        files = [file for file in self.found if file.kind == kind]
        with self._progress(doing, len(files), " files") as tell:
            for file in files:
                try:
                    path = file.folder.fetch(file.name, self._folder / "fetched")
                except FileNotFoundError:
                    continue
                if path.exists():
                    yield file, path
                if not isinstance(file.folder, LocalFolder):
                    path.unlink(missing_ok=True)
                tell(1)
