"""`turnout log ship` as it runs beside the runtime, and as a laptop calls it."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.measured import Cost, measured
from benchmarks.harness.metrics import Metrics, parse
from benchmarks.harness.ours import fetch
from benchmarks.harness.places import logs
from benchmarks.harness.processes import Process, free_port

_SHIP = (sys.executable, "-m", "turnout_runtime.cli", "log", "ship")
SINK = "lake"


class Shipper(Process):
    """The sidecar of one pod, with one sink."""

    def __init__(
        self, name: str, core: int, directory: Path, sink: Mapping[str, Any], env: Mapping[str, str] | None = None
    ) -> None:
        """`sink`: its kind and options, as ship.json has them."""
        self.port = free_port()
        config = logs() / f"{name}.json"
        config.write_text(json.dumps(configuration(directory, sink, self.port)))
        super().__init__(name, [*_SHIP, "--config", config], core, env)

    def is_up(self) -> bool:
        """Whether it tells its metrics."""
        try:
            self.metrics()
        except OSError:
            return False
        return True

    def metrics(self) -> Metrics:
        """What it counts, now. Raises OSError."""
        return parse(fetch(self.port))


def configuration(directory: Path, sink: Mapping[str, Any], port: int) -> dict[str, Any]:
    """ship.json."""
    return {"directory": str(directory), "pod": "bench-0", "sinks": [{"name": SINK, **sink}], "port": port}


def ship_once(name: str, directory: Path, target: Path, cores: Sequence[int]) -> Cost:
    """Ship all that is there to a folder, and what that cost."""
    return measured(name, [*_SHIP, directory, "--to", target, "--once"], cores)
