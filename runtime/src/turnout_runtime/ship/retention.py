"""Which shipped files are kept no longer, and deleting them.

Several pods may do it at once: all find the same order of age, so none deletes what another counts on to be kept.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from turnout_runtime.analysis.relation import MERGED_PREFIX
from turnout_runtime.ship.naming import Place, place_of
from turnout_runtime.ship.roots import Root, Stored

_HOUR = timedelta(hours=1)
_LATEST = datetime.max.replace(tzinfo=UTC)


class Keep(NamedTuple):
    """Seconds since the end of a file's hour, and bytes of all files together; None is without end."""

    age_seconds: float | None
    bytes: int | None


def expired(files: Sequence[Stored], keep: Keep, now: datetime) -> list[Stored]:
    """Files to delete, oldest hour first: those too old, then the oldest until the rest has no more than the bytes.

    What is no shipped file neither counts nor goes. A file that was merged from others goes after them, since they
    count again where it is missing.
    """
    known = [(place, file) for file in files if (place := place_of(file.name)) is not None]
    known.sort(key=lambda item: (item[0].hour or _LATEST, _merged(item[1]), item[1].name))
    total, gone = sum(file.size for _, file in known), []
    for place, file in known:
        if _too_old(place, keep, now) or (keep.bytes is not None and total > keep.bytes):
            gone.append(file)
            total -= file.size
    return gone


def _merged(file: Stored) -> bool:
    return file.name.rpartition("/")[2].startswith(MERGED_PREFIX)


def _too_old(place: Place, keep: Keep, now: datetime) -> bool:
    if keep.age_seconds is None or place.hour is None:
        return False
    return place.hour + _HOUR <= now - timedelta(seconds=keep.age_seconds)


async def prune(root: Root, prefixes: Sequence[str], keep: Keep, now: datetime, *, dry: bool = False) -> list[Stored]:
    """Delete what is kept no longer below the prefixes; what that was. With `dry` nothing is deleted."""
    files = [file for prefix in prefixes for file in await root.files(prefix)]
    gone = expired(files, keep, now)
    if gone and not dry:
        await root.remove([file.name for file in gone])
    return gone
