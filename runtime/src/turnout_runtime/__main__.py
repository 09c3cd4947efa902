"""`turnout-runtime`: serve the bundle that the configuration names."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from turnout_runtime import config
from turnout_runtime.errors import StartError
from turnout_runtime.failure import redact, write_termination_log
from turnout_runtime.serve.process import Pod, Ports
from turnout_runtime.telemetry import logs

_log = logging.getLogger("turnout.serve")
CONFIG = "/etc/turnout/runtime.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop, or answer a batch's shard: 0; 1 when it cannot: the termination log says why."""
    arguments = _parser().parse_args(argv)
    logs.configure()
    try:
        settings = config.load(arguments.config)
        if settings.mode == "batch":
            _run_shard(settings, arguments.cache)
            return 0
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings, arguments))
    except StartError as error:
        return _failed(error.reason, str(error))
    except Exception as error:  # a defect of the runtime: say so where it is looked for, before the traceback
        _log.exception("the runtime failed")
        return _failed("InternalError", f"{type(error).__name__}: {error}")
    return 0


async def _run(settings: config.RuntimeConfig, arguments: argparse.Namespace) -> None:
    ports = Ports(arguments.host, arguments.port, arguments.admin_port, arguments.grpc_port)
    await Pod(settings, arguments.cache, ports).run()


def _run_shard(settings: config.RuntimeConfig, cache: Path) -> None:
    from turnout_runtime.offline.pod import run_shard  # what a serving pod has no use for

    run_shard(settings, cache)


def _failed(reason: str, message: str) -> int:
    _log.error("cannot serve", extra={"reason": reason, "error": redact(message)})
    write_termination_log(reason, message)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="turnout-runtime", description="Serves one bundle's workflow.")
    default = Path(os.environ.get("TURNOUT_CONFIG", CONFIG))
    parser.add_argument("--config", type=Path, default=default, help="runtime.json (TURNOUT_CONFIG)")
    parser.add_argument("--cache", type=Path, default=Path("/var/cache/turnout"), help="where bundles are unpacked")
    parser.add_argument("--host", help="address to listen on; all by default")
    parser.add_argument("--port", type=int, default=8080, help="prediction API")
    parser.add_argument("--grpc-port", type=int, default=8082, help="Open Inference Protocol over gRPC")
    parser.add_argument("--admin-port", type=int, default=8081, help="probes and metrics")
    return parser


if __name__ == "__main__":
    sys.exit(main())
