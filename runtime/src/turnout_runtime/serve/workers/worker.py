"""A process that answers for a pod of several: `python -m turnout_runtime.serve.workers.worker FD`."""

import asyncio
import logging
import socket
import sys
from pathlib import Path
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest

from turnout_runtime.config import RuntimeConfig
from turnout_runtime.errors import StartError
from turnout_runtime.serve.ports import Ports
from turnout_runtime.serve.service import Service
from turnout_runtime.serve.workers.link import Link
from turnout_runtime.telemetry import logs

_log = logging.getLogger("turnout.serve")


async def work(end: socket.socket) -> int:
    """Serve what the other end says, until it has gone or a signal comes; the exit status."""
    link = await Link.open(end)
    try:
        told = await link.receive()
        if told is not None:
            await _serve(link, told)
    except StartError as error:
        link.send({"failed": error.reason, "message": str(error)})
        return 1
    except Exception as error:  # a defect of the runtime
        _log.exception("the runtime failed")
        link.send({"failed": "InternalError", "message": f"{type(error).__name__}: {error}"})
        return 1
    finally:
        await link.close()
    return 0


async def _serve(link: Link, told: dict[str, Any]) -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    config, ports = RuntimeConfig.model_validate(told["config"]), Ports(**told["ports"])
    service = Service(config, Path(told["cache"]), ports, registry, lambda phase: link.send({"phase": phase.value}))
    listening = asyncio.create_task(_listen(link, service, registry))
    try:
        await service.run()
    finally:
        listening.cancel()


async def _listen(link: Link, service: Service, registry: CollectorRegistry) -> None:
    while (asked := await link.receive()) is not None:
        told = {} if asked["ask"] == "sketches" else {"metrics": generate_latest(registry).decode()}
        link.send({**told, "sketches": await service.sketches(asked["seconds"])})
    service.stop()  # the supervisor has gone: nobody else would end this process


if __name__ == "__main__":
    logs.configure()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(work(socket.socket(fileno=int(sys.argv[1])))))
