"""`turnout bundle run`: the pod that serves in the cluster, on this machine."""

import argparse
import logging
import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout_runtime.cli.parsers import Groups, add_triton
from turnout_runtime.errors import GoldenExamplesFailed

if TYPE_CHECKING:
    from turnout_runtime.bundle.source import Bundle
    from turnout_runtime.config import RuntimeConfig

_NAMESPACE = "default"


def add_command(actions: Groups) -> None:
    """Register it."""
    run = actions.add_parser(
        "run",
        help="serve a bundle on this machine, as the cluster's pods do",
        description="Checks the bundle as a pod does, serves it until Ctrl-C, and prints a request to try.",
    )
    run.add_argument("bundle", type=Path, metavar="DIR|TAR")
    run.add_argument("--port", type=int, default=8080, help="predictions (8080; 0 takes a free one)")
    run.add_argument("--admin-port", type=int, default=0, help="probes and metrics (a free one)")
    run.add_argument("--grpc-port", type=int, metavar="PORT", help="Open Inference Protocol over gRPC (off)")
    run.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    run.add_argument(
        "--facts", type=Path, metavar="FILE", help="YAML like a ModelDeployment's spec.facts, or name: {value: {…}}"
    )
    run.add_argument("--serving", type=Path, metavar="FILE", help="YAML like a ModelDeployment's spec.serving")
    run.add_argument(
        "--logs", type=Path, metavar="DIR", help="where prediction records go (~/.local/state/turnout/NAME)"
    )
    run.add_argument("--no-golden", action="store_true", help="serve a folder though its golden examples do not hold")
    run.add_argument("--processes", type=int, metavar="N", help="serve with N processes")
    add_triton(run)
    run.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from turnout_runtime.cli.bundle.opened import opened, staged, without_golden

    path: Path = arguments.bundle
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    with ExitStack() as stack:
        if arguments.no_golden:
            path = stack.enter_context(without_golden(path))
        elif path.is_dir():
            path = stack.enter_context(staged(path))
        try:
            _serve(arguments, stack.enter_context(opened(path)))
        except GoldenExamplesFailed as error:
            raise GoldenExamplesFailed(f"{error}; --no-golden serves it as it is") from None


def _serve(arguments: argparse.Namespace, bundle: "Bundle") -> None:
    import asyncio

    import uvloop

    from turnout_runtime.serve.process import Pod, Ports

    ports = Ports(
        arguments.host, arguments.port or free_port(), arguments.admin_port or free_port(), arguments.grpc_port
    )
    config = configuration(arguments, bundle)

    async def serve() -> None:
        pod = asyncio.create_task(Pod(config, bundle.folder.parent, ports).run())
        told = asyncio.create_task(_tell(config, bundle, ports))
        try:
            await pod
        finally:
            told.cancel()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


def configuration(arguments: argparse.Namespace, bundle: "Bundle") -> "RuntimeConfig":
    """What the operator would have written, with a laptop's defaults."""
    from turnout_runtime.cli.bundle.declared import read_facts, read_serving
    from turnout_runtime.cli.bundle.opened import SERVING, model_server
    from turnout_runtime.config import RuntimeConfig

    name, digest = bundle.manifest.name, bundle.digest
    serving = SERVING if arguments.serving is None else read_serving(arguments.serving, SERVING)
    if arguments.processes is not None:
        serving = serving.model_copy(update={"processes": arguments.processes})
    directory = arguments.logs or _state() / name
    return RuntimeConfig.model_validate(
        {
            "namespace": _NAMESPACE,
            "modelDeployment": name,
            "revision": f"{name}-{digest.removeprefix('sha256:')[:8]}",
            "bundle": {"uri": bundle.folder.as_uri(), "digest": digest, "path": bundle.folder},
            "serving": serving,
            "modelServer": model_server(arguments),
            "facts": {} if arguments.facts is None else read_facts(arguments.facts),
            "predictionLog": {"directory": directory, "maxFileBytes": 16 * 1024**2, "maxFiles": 8},
        }
    )


def _state() -> Path:
    """Outside of every bundle, so that serving one does not change it."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "turnout"


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _tell(config: "RuntimeConfig", bundle: "Bundle", ports: Any) -> None:
    """Once it is ready: where it listens, what to try, where records are."""
    import asyncio

    import aiohttp

    base = f"http://{ports.host}:{ports.http}/v1/{_NAMESPACE}/{bundle.manifest.name}"
    async with aiohttp.ClientSession() as session:
        while not await _ready(session, f"http://{ports.host}:{ports.admin}/readyz"):
            await asyncio.sleep(0.05)
    body = shlex.quote(sample(bundle))
    print(
        f"{bundle.manifest.name} {bundle.manifest.version} is ready; Ctrl-C ends it.\n\n"
        f"  curl {base}/predict -H 'content-type: application/json' -d {body}\n\n"
        f"API      {base}/openapi.json\n"
        f"metrics  http://{ports.host}:{ports.admin}/metrics\n"
        f"records  turnout log cat {config.prediction_log.directory}",
        flush=True,
    )


async def _ready(session: Any, url: str) -> bool:
    import aiohttp

    try:
        async with session.get(url) as response:
            return bool(response.status == 200)
    except aiohttp.ClientError:
        return False


def sample(bundle: "Bundle") -> str:
    """A request that the bundle itself gives: its first golden example that is answered, else its first warm-up."""
    import orjson

    from turnout_runtime.bundle.examples import parse_examples

    manifest = bundle.manifest
    for file, golden in ((manifest.golden, True), (manifest.warmup, False)):
        if file is not None:
            for example in parse_examples((bundle.folder / file).read_bytes(), file, golden=golden).values():
                if example.expect is None or example.expect.error is None:
                    return orjson.dumps(example.request).decode()
    return '{"context": {}}'
