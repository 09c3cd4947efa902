"""Each process's part of what is declared for the whole pod. Pure."""

from turnout_runtime.config import RuntimeConfig, Serving
from turnout_runtime.errors import ConfigInvalid


def check(serving: Serving) -> None:
    """Raise `ConfigInvalid` for what needs one memory for all requests."""
    if serving.idempotency is not None:
        raise ConfigInvalid("serving.idempotency: a process does not know the requests of others; set processes to 1")


def share(config: RuntimeConfig, number: int) -> RuntimeConfig:
    """The configuration of process `number` (0…); limits are split, and none of them to nothing."""
    serving, log = config.serving, config.prediction_log
    count = serving.processes
    update: dict[str, object] = {
        "processes": 1,
        "concurrency": max(1, _part(serving.concurrency, number, count)),
        "max_queue_depth": _part(serving.max_queue_depth, number, count),
    }
    if serving.cache is not None:
        entries = max(1, serving.cache.max_entries // count)
        update["cache"] = serving.cache.model_copy(update={"max_entries": entries})
    files = {"max_file_bytes": max(1, log.max_file_bytes // count), "max_files": log.max_files * count}
    return config.model_copy(
        update={"serving": serving.model_copy(update=update), "prediction_log": log.model_copy(update=files)}
    )


def _part(whole: int, number: int, count: int) -> int:
    return whole // count + (number < whole % count)
