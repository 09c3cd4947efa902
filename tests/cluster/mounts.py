"""Mounts below the cluster's folders."""

from collections.abc import Iterable
from pathlib import Path

from tests.cluster.shell import run, succeeds

TABLE = Path("/proc/mounts")


def below(table: str, roots: Iterable[Path]) -> list[str]:
    """Return the mount points of a /proc/mounts `table` at or below `roots`, innermost first."""
    points = [line.split()[1].encode().decode("unicode_escape") for line in table.splitlines() if line]
    prefixes = [str(root) for root in roots]
    inside = [point for point in points if any(point == p or point.startswith(f"{p}/") for p in prefixes)]
    return sorted(inside, key=len, reverse=True)


def bind(source: Path, target: Path) -> None:
    """Show `source` at `target`, unless it is shown there."""
    source.mkdir(parents=True, exist_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    if not target.is_mount():
        run(["mount", "--bind", source, target])


def undo(*roots: Path) -> None:
    """Unmount everything at and below `roots`, detaching what is busy."""
    for point in below(TABLE.read_text(), roots):
        if not succeeds(["umount", point]):
            succeeds(["umount", "--lazy", point])
