"""Makes what the flights need: bundles, unpacked, requests and facts. Run with the example's folder on PYTHONPATH."""

import json
import sys
import tarfile
from pathlib import Path

from flight_delay import data, facts
from flight_delay.cache import cached_bundles

FLIGHTS = "flights.jsonl"


def main(folder: Path) -> None:
    """<folder>/champion, challenger, flights.jsonl (July to December, in order of departure), weather, plane."""
    folder.mkdir()
    for bundle in cached_bundles():
        with tarfile.open(bundle.archive) as archive:
            archive.extractall(folder / bundle.name, filter="data")
    with (folder / FLIGHTS).open("w") as file:
        for flight in data.flights(data.REPLAY):
            asked = {"entity_id": flight.entity_id, "context": flight.context(), "late": flight.late}
            file.write(json.dumps(asked, separators=(",", ":")) + "\n")
    for name, table in facts.tables().items():
        (folder / f"{name}.json").write_text(json.dumps(table, separators=(",", ":")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
