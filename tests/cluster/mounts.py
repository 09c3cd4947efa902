"""Mounts below the cluster's folders."""

from collections.abc import Iterable
from pathlib import Path

from tests.cluster.shell import ClusterError, succeeds

TABLE = Path("/proc/mounts")


def below(table: str, roots: Iterable[Path]) -> list[str]:
    """Return the mount points of a /proc/mounts `table` at or below `roots`, the last mounted first."""
    points = [line.split()[1].encode().decode("unicode_escape") for line in table.splitlines() if line]
    prefixes = [str(root) for root in roots]
    return [point for point in reversed(points) if any(point == p or point.startswith(f"{p}/") for p in prefixes)]


def undo(*roots: Path) -> None:
    """Unmount everything at and below `roots`, detaching what is busy.

    Raises:
        ClusterError: something stays mounted; what lies below must not be deleted then, since it is not ours.
    """
    while points := below(TABLE.read_text(), roots):
        # One that is hidden by another is reached in the next round.
        if sum(_unmount(point) for point in points) == 0:
            raise ClusterError(f"these cannot be unmounted: {', '.join(points)}")


def _unmount(point: str) -> bool:
    return succeeds(["umount", point]) or succeeds(["umount", "--lazy", point])
