"""Sinks as people type them: `turnout log ship DIR --to …`. Pure."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from turnout_runtime.config.ship import ShipConfig
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.objectstore import is_remote
from turnout_runtime.validation import describe

_FORMS = "a folder, s3://bucket/prefix, gs://…, az://…, kafka://BROKER[,BROKER]/TOPIC, or stdout:"


def config_of(directory: Path, targets: Sequence[str], **more: Any) -> ShipConfig:
    """The configuration for a directory and its targets; raises `ConfigInvalid`."""
    sinks, names = [], Counter[str]()
    for target in targets:
        kind, settings = _sink(target)
        names[kind] += 1
        name = kind.lower() if names[kind] == 1 else f"{kind.lower()}-{names[kind]}"
        sinks.append({"name": name, kind: settings})
    try:
        return ShipConfig.model_validate({"directory": directory, "sinks": sinks, **more})
    except ValidationError as error:
        raise ConfigInvalid(describe(error)) from error


def _sink(target: str) -> tuple[str, dict[str, Any]]:
    if target in ("stdout:", "-"):
        return "stdout", {}
    if is_remote(target):
        return "objectStore", {"uri": target}
    if target.startswith("kafka://"):
        brokers, _, topic = target.removeprefix("kafka://").partition("/")
        return "kafka", {"brokers": brokers.split(","), "topic": topic}
    if "://" in target and not target.startswith("file://"):
        raise ConfigInvalid(f"--to {target.partition('://')[0]}://: no such sink: give {_FORMS}")
    return "directory", {"path": target.removeprefix("file://")}
