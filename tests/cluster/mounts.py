"""Mounts below the cluster's folders."""

from collections.abc import Iterable
from pathlib import Path

from tests.cluster.shell import ClusterError, succeeds

TABLE = Path("/proc/mounts")


def below(table: str, roots: Iterable[Path]) -> list[str]:
    """Return the mount points of a /proc/mounts `table` at or below `roots`, innermost first."""
    points = [line.split()[1].encode().decode("unicode_escape") for line in table.splitlines() if line]
    prefixes = [str(root) for root in roots]
    inside = [point for point in points if any(point == p or point.startswith(f"{p}/") for p in prefixes)]
    return sorted(inside, key=len, reverse=True)


def undo(*roots: Path) -> None:
    """Unmount everything at and below `roots`, detaching what is busy.

    Raises:
        ClusterError: something stays mounted; what lies below must not be deleted then, since it is not ours.
    """
    for point in below(TABLE.read_text(), roots):
        if not succeeds(["umount", point]):
            succeeds(["umount", "--lazy", point])
    if staying := below(TABLE.read_text(), roots):
        raise ClusterError(f"these cannot be unmounted: {', '.join(staying)}")
