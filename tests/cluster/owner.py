"""One cluster per machine: which checkout owns it, and one `up` or `down` at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.paths import CHECKOUT, RUN
from tests.cluster.shell import ClusterError

OWNER = RUN / "owner"
LOCK = Path("/run/lock/turnout-cluster.lock")


@contextmanager
def exclusive() -> Iterator[None]:
    """Hold the machine's lock while the block runs.

    Raises:
        ClusterError: another `up` or `down` holds it.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ClusterError("another cluster command runs on this machine; wait until it ends") from error
        yield


def current(record: Path = OWNER) -> Path | None:
    """Return the checkout that owns this machine's cluster."""
    return Path(record.read_text().strip()) if record.exists() else None


def claim(record: Path = OWNER) -> None:
    """Record this checkout as the owner."""
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(f"{CHECKOUT}\n")


def refuse_foreign(alive: bool, record: Path = OWNER) -> None:
    """Stop when another checkout's cluster runs here; one whose checkout was deleted is nobody's.

    Raises:
        ClusterError: it does; the text says whose it is and how to end it.
    """
    owner = current(record)
    if owner and owner != CHECKOUT and owner.exists() and alive:
        raise ClusterError(f"the cluster of {owner} runs on this machine: `make cluster-down` there, then try again")
