"""`turnout log ship`: bring a log's segments to where they are kept."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from turnout_runtime.cli.parsers import Groups
from turnout_runtime.errors import ShipFailed, StartError

if TYPE_CHECKING:
    from turnout_runtime.config.ship import ShipConfig

_log = logging.getLogger("turnout.ship")
_TO = "a folder, s3://bucket/prefix, gs://…, az://…, kafka://BROKER[,BROKER]/TOPIC, or stdout: (may be repeated)"


def add_command(actions: Groups) -> None:
    """Register it."""
    ship = actions.add_parser("ship", help="bring a log's segments to files, object stores, Kafka; they leave the log")
    ship.add_argument("directory", nargs="?", type=Path, metavar="DIR", help="a pod's log")
    ship.add_argument("--to", action="append", metavar="TARGET", help=_TO)
    ship.add_argument("--config", type=Path, metavar="FILE", help="ship.json, instead of DIR and --to")
    ship.add_argument("--once", action="store_true", help="ship what is there, and end")
    ship.add_argument(
        "--pod", help="goes into the names of files (default: as before, else POD_NAME, or this machine's name)"
    )
    ship.add_argument("--host", help="address of the metrics port; all by default")
    ship.add_argument("--port", type=int, help="of metrics (default: none, or what ship.json says)")
    ship.set_defaults(run=_ship)


def _ship(arguments: argparse.Namespace) -> None:
    import asyncio

    from turnout_runtime.failure import redact, write_termination_log
    from turnout_runtime.telemetry import logs

    logs.configure()
    try:
        asyncio.run(_run(_config(arguments), arguments))
    except StartError as error:
        if arguments.config is not None:
            _log.error("cannot ship", extra={"reason": error.reason, "error": redact(str(error))})
            write_termination_log(error.reason, str(error))
        raise


def _config(arguments: argparse.Namespace) -> "ShipConfig":
    from turnout_runtime.config.ship import load_ship
    from turnout_runtime.errors import ConfigInvalid
    from turnout_runtime.ship.targets import config_of

    if arguments.config is not None:
        if arguments.directory is not None or arguments.to:
            raise ConfigInvalid("give either --config, or DIR and --to")
        config = load_ship(arguments.config)
        given = {name: value for name in ("pod", "port") if (value := getattr(arguments, name)) is not None}
        return config.model_copy(update=given)
    if arguments.directory is None or not arguments.to:
        raise ConfigInvalid("give DIR and at least one --to, or --config")
    pod = {} if arguments.pod is None else {"pod": arguments.pod}
    return config_of(arguments.directory, arguments.to, port=arguments.port or 0, **pod)


async def _run(config: "ShipConfig", arguments: argparse.Namespace) -> None:
    import asyncio
    import signal
    import sys

    from turnout_runtime.ship.home import home, shipped_as
    from turnout_runtime.ship.shipper import Shipper

    with home(config.directory) as where:
        pod = shipped_as(where, config.pod if "pod" in config.model_fields_set else None, config.pod)
        shipper = Shipper(config.model_copy(update={"pod": pod}), where)
        try:
            if arguments.once:
                _tell_of_nothing(config.directory)
                complete = await shipper.once()
                _tell_of_open(shipper.open_segments)
            else:
                stop, loop = asyncio.Event(), asyncio.get_running_loop()
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, _told_to_end, stop)
                await shipper.run(stop, arguments.host)
                complete = True
        finally:
            for name, counts in shipper.counts.items():
                print(f"{name}: {counts.rows:,} rows, {counts.bytes:,} bytes", file=sys.stderr)
    if not complete:
        failed = [counts.error for counts in shipper.counts.values() if counts.error]
        raise ShipFailed(f"not all was delivered; what is left stays in {config.directory}: {'; '.join(failed)}")


def _tell_of_nothing(directory: Path) -> None:
    import sys

    from turnout_runtime.log.segments import segment_of

    if not any(segment_of(path.name) for path in directory.iterdir()):
        print(f"{directory}: no segments are there: give one pod's log, several one by one", file=sys.stderr)


def _tell_of_open(segments: int) -> None:
    import sys

    if segments:
        told = "1 segment is" if segments == 1 else f"{segments} segments are"
        print(
            f"{told} still written to, and left: it is complete after a minute (rotate.age), or when its process ends",
            file=sys.stderr,
        )


def _told_to_end(stop: "object") -> None:
    """The second time at once: what is not delivered stays where it is."""
    import asyncio
    import signal

    assert isinstance(stop, asyncio.Event)
    if stop.is_set():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    stop.set()
