"""Where things are kept, and which core is whose."""

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "turnout"
"""What may outlive a run: environments of peers, trained models."""
_logs = CHECKOUT / "build" / "bench"


def logs() -> Path:
    """The folder of this run: what processes say, their configurations, and who runs."""
    return _logs


def begin(benchmark: str) -> None:
    """From now on `logs` is this benchmark's own folder."""
    global _logs
    _logs = CHECKOUT / "build" / f"bench-{benchmark}"


@dataclass(frozen=True)
class Cores:
    """One core for the server that is measured, another for everything that puts load on it."""

    server: int
    load: int

    @classmethod
    def choose(cls) -> "Cores":
        """The last one and the first one: interrupts mostly go to the first. Raises RuntimeError on a single core."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise RuntimeError("two cores are needed, one for the server and one for the load")
        return cls(server=cores[-1], load=cores[0])
