"""How much of this process's memory something takes, as Linux counts it; zeros elsewhere."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

_SELF = Path("/proc/self")


def resident() -> int:
    """Bytes in physical memory now."""
    try:
        return int((_SELF / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def peak_growth(work: Callable[[], object], base: int | None = None) -> int:
    """Bytes by which the peak during the work is above `base`, or above what was resident before it."""
    before = resident() if base is None else base
    with contextlib.suppress(OSError):
        (_SELF / "clear_refs").write_text("5")  # resets the peak
    work()
    return max(0, _peak() - before)


def _peak() -> int:
    try:
        lines = (_SELF / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
