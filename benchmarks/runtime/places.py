"""Where things are kept, and which core is whose."""

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "turnout"
"""What may outlive a run: environments of peers, trained models."""
LOGS = CHECKOUT / "build" / "bench-runtime"


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
