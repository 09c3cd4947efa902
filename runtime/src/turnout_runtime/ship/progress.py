"""What has been delivered of each segment, on the disk: `<log>/ship/<segment>.json`, replaced as a whole.

It may be behind what is delivered, never ahead: then a file is put again under its name, or rows are sent again.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

import orjson

from turnout_runtime.log.segments import SEALED, segment_of
from turnout_runtime.ship.plan import Delivered
from turnout_runtime.telemetry.throttle import Throttle

_log = logging.getLogger("turnout.ship")


class ProgressFiles:
    """One small file for each segment. A disk that refuses them costs a repetition, so it stops nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._throttle = folder, Throttle(60.0)

    def load(self) -> dict[str, Delivered]:
        """All that is known, by stem; a file that cannot be read is as none."""
        found = {}
        for path in self._folder.glob("*.json"):
            if segment_of(path.stem + SEALED) is not None:
                with suppress(OSError, ValueError, TypeError, KeyError):
                    found[path.stem] = _parsed(path.read_bytes())
        return found

    def save(self, stem: str, delivered: Delivered) -> None:
        """Remember it."""
        path = self._folder / f"{stem}.json"
        beside = path.with_suffix(".new")
        try:
            beside.write_bytes(_text(delivered))
            os.replace(beside, path)
        except OSError as error:
            if self._throttle.allows("save"):
                _log.error("cannot save the shipper's progress", extra={"error": str(error)})

    def forget(self, stem: str) -> None:
        """Its segment has gone."""
        with suppress(OSError):
            (self._folder / f"{stem}.json").unlink()


def _text(delivered: Delivered) -> bytes:
    return orjson.dumps(
        {
            "files": sorted(delivered.files),
            "offsets": dict(delivered.offsets),
            "rejected": delivered.rejected,
            "unfit": delivered.unfit,
        }
    )


def _parsed(text: bytes) -> Delivered:
    known = orjson.loads(text)
    offsets = {str(name): int(offset) for name, offset in known["offsets"].items()}
    return Delivered(frozenset(known["files"]), offsets, known["rejected"], bool(known["unfit"]))
