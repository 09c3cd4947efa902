"""Build once per source: bundles are kept in the user's cache, keyed by what they are built from."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from flight_delay import bundles, data, facts, manifests
from flight_delay.offline import Snapshot
from flight_delay.quality import Quality

EXAMPLE = Path(__file__).parents[1]
LOCK = EXAMPLE.parents[1] / "uv.lock"


def cached_bundles() -> list[bundles.Bundle]:
    """Champion and challenger, trained on January to June unless the cache already has them."""
    folder = _cache() / "bundles" / source_hash()
    if not (folder / "summary.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        full = full_data()
        _save(folder, [bundles.build(name, full, folder) for name in bundles.NAMES])
    return _load(folder)


def full_data() -> bundles.Data:
    """Train on January to June of 2013, replay July to December."""
    flights = data.flights()
    snapshot = Snapshot(facts.tables(), manifests.fact_fallbacks())
    training, replay = ([flight for flight in flights if flight.month in part] for part in (data.TRAINING, data.REPLAY))
    return bundles.Data(training, replay, snapshot)


def source_hash() -> str:
    """Twelve hex digits over the example's sources and the lock of every library that has a say in the bytes."""
    digest = hashlib.sha256()
    sources = (path for folder in ("bundle", "flight_delay", "manifests") for path in (EXAMPLE / folder).iterdir())
    for path in sorted(path for path in (*sources, LOCK) if path.suffix in (".py", ".yaml", ".lock")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _save(folder: Path, built: Sequence[bundles.Bundle]) -> None:
    summary = [{"name": b.name, "digest": b.digest, "replay": asdict(b.replay)} for b in built]
    (folder / "summary.json").write_text(json.dumps(summary, indent=1))


def _load(folder: Path) -> list[bundles.Bundle]:
    return [
        bundles.Bundle(b["name"], folder / f"{b['name']}.tar.gz", b["digest"], Quality(**b["replay"]))
        for b in json.loads((folder / "summary.json").read_text())
    ]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "turnout"
