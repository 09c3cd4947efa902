"""What the kernel knows of processes: CPU time, memory, and who belongs to whom."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Stat:
    """One process. `cpu` in seconds; `started` in ticks since boot; `resident` in bytes."""

    pid: int
    parent: int
    cpu: float
    started: int
    resident: int


def parse(text: str) -> Stat:
    """Read a line of /proc/<pid>/stat. The name in it may hold anything, also spaces and parentheses."""
    head, _, tail = text.rpartition(")")
    fields = tail.split()  # from the third on: state, parent, …
    return Stat(
        pid=int(head.partition(" ")[0]),
        parent=int(fields[1]),
        cpu=(int(fields[11]) + int(fields[12])) / TICKS,
        started=int(fields[19]),
        resident=int(fields[21]) * PAGE,
    )


def table(root: Path = Path("/proc")) -> dict[int, Stat]:
    """All processes by pid; those that end meanwhile are left out."""
    found = {}
    for entry in root.iterdir():
        if entry.name.isdecimal() and (stat := _read(entry / "stat")):
            found[stat.pid] = stat
    return found


def family(pid: int, processes: Mapping[int, Stat]) -> list[Stat]:
    """The process and all that descend from it."""
    members = [processes[pid]] if pid in processes else []
    for member in members:  # grows while it is walked
        members.extend(stat for stat in processes.values() if stat.parent == member.pid)
    return members


def spent(before: Iterable[Stat], after: Iterable[Stat]) -> float:
    """Seconds of CPU that a family used in between; what came in between counts whole, what ended not at all."""
    known = {stat.pid: stat.cpu for stat in before}
    return sum(stat.cpu - known.get(stat.pid, 0.0) for stat in after)


def resident(members: Iterable[Stat]) -> int:
    """Bytes of memory of all of them; pages that they share count for each."""
    return sum(member.resident for member in members)


def machine_cpu(text: str) -> float:
    """Seconds that all cores have worked since boot, by the text of /proc/stat."""
    user, nice, system, _idle, _wait, *interrupts = map(int, text.partition("\n")[0].split()[1:8])
    return (user + nice + system + sum(interrupts)) / TICKS


def _read(path: Path) -> Stat | None:
    try:
        return parse(path.read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
