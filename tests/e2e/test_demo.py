"""The example with its real flights, as `make demo` shows it."""

import sys

from demo.shell import kubectl, run

PATHS = "PYTHONPATH=examples:examples/01-flight-delay"


def test_the_demo_passes_all_its_checks(gateway):
    try:
        said = run("env", PATHS, sys.executable, "-m", "demo", "up", "--flights", "2000")
        assert "all checks passed" in said
        assert "2,000 predictions" in said
    finally:
        kubectl("delete", "namespace", "flights", "--ignore-not-found", "--wait=false")
