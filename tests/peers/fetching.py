"""What the tests of all remote sources ask: is it whole, is it cached, is nothing else ever loaded."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.runtime.builders import BUNDLES, write_bundle

from turnout_runtime.bundle.archive import pack
from turnout_runtime.bundle.source import obtain
from turnout_runtime.bundle.tree import digest_folder
from turnout_runtime.errors import StartError

ECHO = BUNDLES / "echo"
ECHO_DIGEST = digest_folder(ECHO)
BIG = 8 * 1024**2
_OBTAIN = """
import sys
from pathlib import Path
from turnout_runtime.bundle.source import obtain
obtain(sys.argv[1], sys.argv[2], None, Path(sys.argv[3]))
"""


def packed(folder: Path, source: Path = ECHO) -> Path:
    archive = folder / "bundle.tar.gz"
    pack(source, archive)
    return archive


def big_bundle(folder: Path) -> Path:
    """One that takes a while to bring: its ballast does not compress."""
    return write_bundle(folder / "big", ballast_bin=os.urandom(BIG))


def check_whole(uri: str, digest: str, cache: Path) -> None:
    """It arrives, verified, under its digest, and nothing else is left in the cache."""
    bundle = obtain(uri, digest, None, cache)
    assert digest_folder(bundle.folder) == digest
    assert contents(cache) == [".lock", digest.removeprefix("sha256:")]


def refusal(uri: str, digest: str, cache: Path) -> str:
    """Reason and message of a bundle that is not to be had; nothing of it is left."""
    with pytest.raises(StartError) as caught:
        obtain(uri, digest, None, cache)
    assert contents(cache) == [".lock"]
    assert "\n" not in str(caught.value)
    return f"{caught.value.reason}: {caught.value}"


def contents(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def kill_while_fetching(uri: str, digest: str, cache: Path, environment: Mapping[str, str]) -> None:
    """Another process begins to fetch, and is killed with a part of it on disk."""
    argv = [sys.executable, "-c", _OBTAIN, uri, digest, str(cache)]
    process = subprocess.Popen(argv, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not any(path.is_file() and path.stat().st_size > 100_000 for path in cache.rglob(".*fetched*")) and not any(
        path.stat().st_size > 100_000 for path in cache.rglob("ballast.bin")
    ):
        assert process.poll() is None, "it was too quick, or failed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (cache / digest.removeprefix("sha256:")).exists()
    assert len(contents(cache)) == 2  # the lock and what is incomplete
