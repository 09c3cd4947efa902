"""Forgets entities: takes all rows about them out of a log, and proves it by reading everything again.

Each file is replaced at once, so an end in the middle leaves a log that can be read, and the same again goes on. For
that, feedback goes first: what it belongs to is known from the predictions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.places import REJECTED, LogFile
from turnout_runtime.analysis.relation import table_of
from turnout_runtime.analysis.upkeep.condemned import Condemned
from turnout_runtime.analysis.upkeep.files import Files
from turnout_runtime.analysis.upkeep.rewrite import Rewriter, Rewritten
from turnout_runtime.bundle.progress import Progress, quiet
from turnout_runtime.log.privacy import pseudonym
from turnout_runtime.log.read import blocks_of
from turnout_runtime.log.recover import recover
from turnout_runtime.log.segments import Kind
from turnout_runtime.offline.place import LocalFolder
from turnout_runtime.scratch import scratch

_ORDER: tuple[Kind, ...] = ("feedback", "predictions")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was done; entities by `sha256:…` of their names.

    `left` counts the rows about them by file when all `read_again` files were read again. Those are in segments that a
    living pod writes to, and nobody else may.
    """

    entities: list[str]
    predictions: int
    removed: int
    files: list[Rewritten]
    read_again: int
    left: dict[str, int]


def names_of(entities: Iterable[str], key: bytes | None) -> frozenset[str]:
    """How entities are called in the log: by name, and with a key also by its hash of them."""
    names = frozenset(entities)
    return names if key is None else names | {str(pseudonym(key, name)) for name in names}


def forget(
    place: str,
    entities: Sequence[str],
    key: bytes | None = None,
    progress: Progress = quiet,
    also: Sequence[str] = (),
) -> Receipt:
    """Take the entities out of the log at `place`, and `also` there. Blocks. Raises `LogInvalid` for what is no place.

    Feedback by prediction goes wherever it is, if the prediction is in any of the places.
    """
    places = [place, *also]
    condemned = Condemned(names_of(entities, key))
    with scratch() as folder, database() as connection:
        files = _sealed(Files([*places, *(aside for each in places for aside in _aside(each))], folder, progress))
        rewriter = Rewriter(connection, condemned, folder)
        rewriter.condemn()
        for file, path in files.of("predictions", "looking"):
            condemned.predictions |= _learnt(condemned, connection, file, path)
        rewriter.condemn()
        done = [
            found for kind in _ORDER
            for file, path in files.of(kind, "rewriting")
            if not file.open and (found := rewriter.rewrite(file, path)) is not None
        ]  # fmt: skip
        counts = _proved(files.again(), condemned, folder)
    return Receipt(
        [f"sha256:{sha256(name.encode()).hexdigest()}" for name in entities], len(condemned.predictions),
        sum(each.removed for each in done), done, len(counts), {file: count for file, count in counts if count},
    )  # fmt: skip


def _proved(files: Files, condemned: Condemned, folder: Path) -> list[tuple[str, int]]:
    """How many rows of the entities each file has, read by a database that knows nothing of before."""
    with database() as connection:
        rewriter = Rewriter(connection, condemned, folder)
        rewriter.condemn()
        return [(file.place, rewriter.count(file, path)) for kind in _ORDER for file, path in files.of(kind, "proving")]


def _aside(place: str) -> list[str]:
    """Folders of a pod's log with what could not be shipped: no part of the log for other readers."""
    return [] if "://" in place else [str(path) for path in Path(place).rglob(REJECTED) if path.is_dir()]


def _sealed(files: Files) -> Files:
    """Seal what writers left that have died."""
    folders = {Path(file.place).parent for file in files.found if file.open and isinstance(file.folder, LocalFolder)}
    for folder in folders:
        recover(folder)
    return files.again() if folders else files


def _learnt(condemned: Condemned, connection: Any, file: LogFile, path: Path) -> set[str]:
    """Ids of the entities' predictions in a file."""
    if file.parquet:
        select = f"SELECT prediction_id FROM {table_of([path])} WHERE entity_id IN (FROM gone_entity_id)"
        return {str(name) for (name,) in connection.execute(select).fetchall()}
    lines = (
        line for block in blocks_of(path) if condemned.may_be(block.payload) for line in block.payload.splitlines()
    )
    return {name for line in lines if (name := condemned.prediction(line)) is not None}
