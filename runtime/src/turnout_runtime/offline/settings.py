"""A run's settings from a file and from options, as the same document that a deployment's batch section is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, ValidationError

from turnout_runtime.config import Batch, FactConfig, ModelServer
from turnout_runtime.config.part import Part
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.validation import describe


class Settings(Part):
    """The parts of runtime.json that an offline run reads."""

    batch: Batch
    facts: dict[str, FactConfig] = Field(default_factory=dict)
    model_server: ModelServer | None = None


def read_settings(file: Path | None, options: Mapping[str, Any], facts: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Settings of a JSON file (None: nothing), `options` of the batch and snapshots of `facts` put over them.

    Other sections of a runtime.json are passed over. Raises `ConfigInvalid` that names the field.
    """
    document = {} if file is None else _document(file)
    batch = document.get("batch") or {}
    merged = {**batch, **options, "facts": {**batch.get("facts", {}), **facts}}
    known = {name: document[name] for name in ("facts", "modelServer") if name in document}
    try:
        return Settings.model_validate({**known, "batch": merged})
    except ValidationError as error:
        place = f"{file}: " if file else ""
        raise ConfigInvalid(f"{place}{describe(error)}: see `turnout batch --help`") from error


def _document(file: Path) -> dict[str, Any]:
    try:
        document = orjson.loads(file.read_bytes())
    except OSError as error:
        raise ConfigInvalid(f"cannot read {file}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigInvalid(f"{file} is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("batch") or {}, dict):
        raise ConfigInvalid(f"{file}: must be a JSON object with the sections batch, facts, modelServer")
    return document
