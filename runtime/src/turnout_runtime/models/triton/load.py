"""Finds out what a Triton's model takes and gives, and checks that it can be asked."""

from typing import Any

from turnout_runtime.bundle.manifest import ModelFile
from turnout_runtime.config import TritonServer
from turnout_runtime.errors import BundleInvalid, ConfigInvalid
from turnout_runtime.models.library import imported
from turnout_runtime.models.model import Loaded
from turnout_runtime.models.triton.ready import wait_until_ready

_TYPES = {"FP32": "float32", "FP64": "float64", "FP16": "float16", "INT64": "int64", "INT32": "int32", "BOOL": "bool"}
_FRACTIONS = ("FP32", "FP64", "FP16")
_HERE = ("localhost", "127.0.0.1", "[::1]")
_ANSWER = 5.0  # seconds for one question
_MOST_SLOTS = 64


def load(name: str, entry: ModelFile, server: TritonServer) -> Loaded:
    """Wait for the model, read its metadata and configuration; blocks.

    Raises `ModelServerNotReady`, `ConfigInvalid`, or `BundleInvalid` for a model that does not take rows of numbers.
    """
    grpc = imported("tritonclient.grpc", "a Triton", "grpc")
    from turnout_runtime.models.triton.infer import CHANNEL

    model, version = entry.model or name, entry.version or ""
    with grpc.InferenceServerClient(server.url, channel_args=CHANNEL) as client:
        wait_until_ready(client, name, server.url, model, version)
        if server.shared_memory:
            _check_shared_memory(client, server.url)
        return _loaded(client, name, entry, server)


def _loaded(client: Any, name: str, entry: ModelFile, server: TritonServer) -> Loaded:
    from turnout_runtime.models.arrays import Input, choose_output, layout
    from turnout_runtime.models.triton.infer import Place, TritonModel

    field, model, version = f"models.{name}", entry.model or name, entry.version or ""
    metadata = client.get_model_metadata(model, version, client_timeout=_ANSWER)
    config = client.get_model_config(model, version, client_timeout=_ANSWER).config
    for each in metadata.inputs:
        if each.datatype not in _TYPES:
            raise BundleInvalid(f"{field}: input {each.name!r} is {each.datatype}; features are numbers")
    inputs = [Input(i.name, _TYPES[i.datatype], _sizes(i.shape)) for i in metadata.inputs]
    shape = layout(field, inputs)
    output = choose_output(field, {o.name: o.datatype in _FRACTIONS for o in metadata.outputs}, entry.output)
    place = Place(
        name, server.url, model, version, shape, {each.name: each.datatype for each in metadata.inputs}, output
    )
    asked = TritonModel(place, shared_memory=server.shared_memory)
    return Loaded(
        run=asked.run_blocking,
        width=shape.width,
        max_rows=shape.rows or config.max_batch_size or None,
        feature_names=shape.names,
        about={**_about(client, metadata), "url": server.url, "output": output},
        remote=asked.run,
        slots=_slots(config),
        close=asked.close,
        resident=_memory(client, model, version),
    )


def _sizes(shape: Any) -> tuple[int | None, ...]:
    return tuple(None if size < 0 else int(size) for size in shape)


def _about(client: Any, metadata: Any) -> dict[str, str]:
    server = client.get_server_metadata(client_timeout=_ANSWER)
    version = metadata.versions[-1] if metadata.versions else ""
    return {
        "runtime": f"{server.name} {server.version}",
        "platform": metadata.platform,
        "model": metadata.name,
        "version": version,
    }


def _slots(config: Any) -> int:
    """Batches to have on the way: one for each instance, and one more so that none waits for us."""
    instances: int = sum(group.count * max(1, len(group.gpus)) for group in config.instance_group)
    return min(_MOST_SLOTS, max(1, instances) + 1)


def _memory(client: Any, model: str, version: str) -> int:
    """Bytes that the model took on the server when it was loaded, where the backend tells; else 0."""
    statistics = client.get_inference_statistics(model, version, client_timeout=_ANSWER)
    used: int = sum(usage.byte_size for each in statistics.model_stats for usage in each.memory_usage)
    return used


def _check_shared_memory(client: Any, url: str) -> None:
    from tritonclient.utils import InferenceServerException

    from turnout_runtime.models.triton.regions import Region

    field = "modelServer.triton.sharedMemory"
    if url.rpartition(":")[0] not in _HERE:
        raise ConfigInvalid(f"{field}: {url} is not on this machine: turn it off, or use a Triton on localhost")
    try:
        region = Region(4096)
    except OSError as error:
        raise ConfigInvalid(f"{field}: /dev/shm cannot be used: {error.strerror}") from error
    try:
        client.register_system_shared_memory(region.name, region.key, region.size, client_timeout=_ANSWER)
        client.unregister_system_shared_memory(region.name, client_timeout=_ANSWER)
    except InferenceServerException as error:
        raise ConfigInvalid(
            f"{field}: Triton cannot read our shared memory: {error.message()};"
            " mount one memory volume at /dev/shm in both containers, or turn it off"
        ) from error
    finally:
        region.hide()
