"""The sinks that a configuration names."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from turnout_runtime.config.ship import SinkConfig
from turnout_runtime.ship.directory import DirectoryFiles
from turnout_runtime.ship.kafka import kafka_stream
from turnout_runtime.ship.sink import BatchSink, StreamSink


@dataclass(frozen=True, slots=True)
class OpenSinks:
    """By name: those that take files, and those that take rows."""

    batch: Mapping[str, BatchSink]
    stream: Mapping[str, StreamSink]


def open_sinks(configs: Sequence[SinkConfig], environment: Mapping[str, str] = os.environ) -> OpenSinks:
    """Make them; raises `ConfigInvalid`. None is connected before there is something to deliver."""
    batch: dict[str, BatchSink] = {}
    stream: dict[str, StreamSink] = {}
    for config in configs:
        if config.directory is not None:
            batch[config.name] = DirectoryFiles(config.name, config.directory)
        elif config.object_store is not None:
            from turnout_runtime.ship.objects import ObjectFiles  # an extra

            batch[config.name] = ObjectFiles(config.name, config.object_store, config.environment(environment))
        elif config.kafka is not None:
            stream[config.name] = kafka_stream(config.name, config.kafka, environment)
        else:
            from turnout_runtime.ship.stdout import StdoutRows

            stream[config.name] = StdoutRows(config.name)
    return OpenSinks(batch, stream)
