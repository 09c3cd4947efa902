"""The local cluster itself: it survives crashes and leaves nothing. It runs beside the cluster of the other tests."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cluster import docker
from tests.cluster.paths import CHECKOUT

pytestmark = pytest.mark.skipif(
    docker.running() or sys.platform != "linux" or os.geteuid() != 0,
    reason="the local cluster is for Linux as root without Docker",
)


def copy_of_checkout(folder: Path) -> Path:
    shutil.copytree(CHECKOUT / "tests" / "cluster", folder / "tests" / "cluster")
    return folder


def test_up_crash_up_crash_down_leaves_nothing(tmp_path: Path) -> None:
    here, other = copy_of_checkout(tmp_path / "here"), copy_of_checkout(tmp_path / "other")
    driver = CHECKOUT / "tests" / "e2e" / "support" / "cluster_lifecycle.py"
    isolated = CHECKOUT / "tests" / "cluster" / "isolated.sh"
    argv = ["bash", str(isolated), sys.executable, str(driver), str(here), str(other)]
    done = subprocess.run(argv, text=True, capture_output=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    seconds = json.loads(done.stdout.splitlines()[-1])
    assert seconds["from nothing"] < 30, "with programs in the cache"
    assert seconds["when up"] < 10
