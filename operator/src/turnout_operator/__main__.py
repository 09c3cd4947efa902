"""`turnout-operator`: run one operator process."""

import asyncio
import logging
import os
import signal
import sys

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import uvloop

from turnout_operator.controller.operator import LeadershipLost, Operator
from turnout_operator.controller.settings import Settings, parse
from turnout_operator.kube.client import Client
from turnout_operator.telemetry import logs

log = logging.getLogger("turnout_operator")


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    client = await Client.connect()
    try:
        operator = Operator(client, settings)
        signals = asyncio.create_task(_take_signals(operator, stop))
        await operator.run(stop)
        signals.cancel()
    finally:
        await client.close()


async def _take_signals(operator: Operator, stop: asyncio.Event) -> None:
    # kopf installs its own handlers when it starts; ours come after, so that the Lease is released first.
    await operator.kopf_ready.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


def main() -> None:
    """The console script."""
    settings = parse()
    logs.configure(settings.log_level)
    try:
        uvloop.run(run(settings))
    except* LeadershipLost:
        log.error("another replica leads: ending, to be started anew")
        sys.exit(1)


if __name__ == "__main__":
    main()
