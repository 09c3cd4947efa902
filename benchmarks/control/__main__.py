"""`python -m benchmarks.control`: the control plane with many objects, against an operator on bare informers."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import cast

import uvloop
from benchmarks.control import run
from benchmarks.control.cluster import KUBECONFIG, prepared
from benchmarks.control.processes import LOGS
from benchmarks.control.rows import Results, rows
from benchmarks.report import finish
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from turnout_operator.kube.client import Client

LIMIT_SECONDS = 1140.0
"""For all measurements; what is put back afterwards takes its own time."""


def arguments() -> argparse.Namespace:
    """The command line; the defaults are the targets' sizes."""
    parser = argparse.ArgumentParser("benchmarks.control", description=__doc__)
    parser.add_argument("--objects", type=int, default=1000, help="ModelDeployments, and RoutingPolicies (%(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="changes a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of changes in each round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of the two operators in turn (%(default)s)")
    parser.add_argument("--weights", type=int, default=100, help="weight changes (%(default)s)")
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds for the run (%(default)s)")
    return parser.parse_args()


async def connect() -> Client:
    """A client of the test cluster, whatever the environment says."""
    configuration = Configuration()
    await config.load_kube_config(str(KUBECONFIG), client_configuration=configuration)
    configuration.connection_pool_maxsize = 64
    return Client(configuration)


async def measure(options: argparse.Namespace, results: Results) -> None:
    """Run all phases within the limit, and leave the cluster as it was."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, cast("asyncio.Task[None]", asyncio.current_task()).cancel)
    client = await connect()
    try:
        with tempfile.TemporaryDirectory(prefix="turnout-bench-") as name:
            async with prepared(client), asyncio.timeout(options.limit):
                await run.phases(client, Path(name), options, results)
    finally:
        await client.close()


def main() -> int:
    """Measure, then print what was reached, also when not all of it was."""
    options = arguments()
    if not KUBECONFIG.exists():
        print("no cluster is up: run `make cluster-up` first")
        return 1
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    results, started = Results(), time.monotonic()
    try:
        uvloop.run(measure(options, results))
    except (Exception, asyncio.CancelledError):
        traceback.print_exc()
        print(f"stopped early: what is missing below was not measured; logs are in {LOGS}")
    details = {"options": vars(options), "seconds": round(time.monotonic() - started, 1), "results": asdict(results)}
    return finish("control", rows(results), details)


if __name__ == "__main__":
    sys.exit(main())
