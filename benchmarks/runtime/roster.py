"""The peers: how each is started at its best settings, and how it is asked."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.harness.places import logs
from benchmarks.harness.processes import free_port
from benchmarks.harness.servers import Answer, Dialect, Server, compact
from benchmarks.runtime.environments import environment, models

_HERE = Path(__file__).parent
_PEERS = _HERE / "peers"
_WORKLOAD = _HERE / "workload"


def aiohttp(core: int) -> Server:
    """The yardstick."""
    python, port = _program("aiohttp", "python"), free_port()
    argv = [python, _PEERS / "aiohttp" / "server.py", str(port)]
    return Server("aiohttp", argv, port, _plain(), core, _environment())


def fastapi(core: int) -> Server:
    """With pydantic models on both sides."""
    return _fastapi("fastapi", "/predict", core)


def fastapi_raw(core: int) -> Server:
    """Without models, with orjson."""
    return _fastapi("fastapi-raw", "/raw", core)


def mlserver(core: int) -> Server:
    """In process: its default, a pool of workers, is a third as quick."""
    folder, port = _copy("mlserver"), free_port()
    ports = {"host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings = folder / "models" / "settings.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), **ports}))
    argv = [_program("mlserver", "mlserver"), "start", folder / "models"]
    return Server("mlserver", argv, port, _plain(), core, _environment(folder), folder)


def bentoml(core: int) -> Server:
    folder, port = _copy("bentoml"), free_port()
    program = _program("bentoml", "bentoml")
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"  # it starts its worker by name
    env = {**_environment(), "PATH": path, "BENTOML_HOME": str(folder / "home"), "BENTOML_DO_NOT_TRACK": "True"}
    argv = [program, "serve", "service:Fraud", "--host", "127.0.0.1", "--port", str(port)]
    return Server("bentoml", argv, port, _plain(), core, env, folder)


def litserve(core: int) -> Server:
    python, port = _program("litserve", "python"), free_port()
    argv = [python, _PEERS / "litserve" / "server.py", str(port)]
    return Server("litserve", argv, port, _plain(), core, _environment())


def triton(core: int) -> Server:
    """The Python backend: the stub for this Python is put beside the backend, whose libraries are the wheel's."""
    site = environment("triton") / "lib" / "python3.11" / "site-packages"
    home, folder, port = site / "pytriton" / "tritonserver", _copy("triton"), free_port()
    backends = folder / "backends"
    shutil.copytree(home / "backends", backends)
    shutil.copy2(home / "python_backend_stubs" / "3.11" / "triton_python_backend_stub", backends / "python")
    flags = {
        "model-repository": folder / "models",
        "backend-directory": backends,
        "http-address": "127.0.0.1",
        "http-port": port,
        "allow-grpc": "false",
        "allow-metrics": "false",
    }
    argv = [home / "bin" / "tritonserver", *(f"--{name}={value}" for name, value in flags.items())]
    paths = os.pathsep.join(map(str, (_WORKLOAD, site)))
    env = {**_environment(), "LD_LIBRARY_PATH": str(site / "nvidia_pytriton.libs"), "BENCH_PYTHONPATH": paths}
    return Server("triton", argv, port, _tensors(), core, env)


PEERS: Mapping[str, Callable[[int], Server]] = {
    "fastapi": fastapi,
    "fastapi-raw": fastapi_raw,
    "mlserver": mlserver,
    "bentoml": bentoml,
    "litserve": litserve,
    "triton": triton,
}


def _fastapi(name: str, path: str, core: int) -> Server:
    port = free_port()
    flags = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
    quiet = ["--no-access-log", "--log-level", "warning"]
    argv = [_program("fastapi", "uvicorn"), "server:app", "--app-dir", _PEERS / "fastapi", *flags, *quiet]
    return Server(name, argv, port, _plain(path), core, _environment())


def _plain(path: str = "/predict") -> Dialect:
    return Dialect(path, compact, json.loads)


def _tensors() -> Dialect:
    """The Open Inference Protocol with one text, which is the request."""

    def body(payment: Answer) -> bytes:
        tensor = {"name": "payment", "datatype": "BYTES", "shape": [1, 1], "data": [compact(payment).decode()]}
        return compact({"inputs": [tensor]})

    def read(content: bytes) -> Answer:
        answer: Answer = json.loads(json.loads(content)["outputs"][0]["data"][0])
        return answer

    return Dialect("/v2/models/fraud/infer", body, read)


def _program(peer: str, name: str) -> Path:
    return environment(peer) / "bin" / name


def _environment(*paths: Path) -> dict[str, str]:
    joined = os.pathsep.join(map(str, (_WORKLOAD, *paths)))
    return {"PYTHONPATH": joined, "BENCH_MODEL": str(models() / "fraud.onnx")}


def _copy(peer: str) -> Path:
    """The peer's files in a folder of this run, which it may write to."""
    folder = logs() / peer
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_PEERS / peer, folder)
    return folder
