"""Where prediction records go, which of them, and what of them nobody may read."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from turnout_runtime.config.part import Part, from_env
from turnout_runtime.errors import ConfigInvalid

RecordPath = Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$", max_length=512)]
HeaderName = Annotated[str, Field(pattern=r"^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
_JSON = ("context", "feature_refs", "details")
_TEXT = ("request_id", "entity_id", "decision", "explanations_ref", "trace_id")
_NAMED = ("caller", "headers")
_REDACTABLE = (*_JSON, *_TEXT, *_NAMED, "facts", "features", "score", "confidence")
_LEAST_KEY = 16


class HashedFields(Part):
    """Fields that are replaced by a keyed hash; the key is in a variable of the environment."""

    fields: Annotated[list[RecordPath], Field(min_length=1, max_length=64)]
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

    @field_validator("fields")
    @classmethod
    def _hashable(cls, paths: list[str]) -> list[str]:
        for path in paths:
            root, *rest = path.split(".")
            named = (root in _NAMED and rest) or (root == "facts" and len(rest) > 1 and "value" in rest[1:])
            if root not in _JSON and not (root in _TEXT and not rest) and not named:
                raise ValueError(
                    f"{path}: cannot be hashed; there are {', '.join((*_TEXT, *_JSON))}, what is below the last three,"
                    " caller.NAME, headers.NAME and facts.NAME.value"
                )
        return paths

    def key(self, environment: Mapping[str, str] = os.environ) -> bytes:
        """The key without white space around it; raises `ConfigInvalid` when it is missing or short."""
        key = from_env("predictionLog.hash.keyEnv", self.key_env, environment).strip().encode()
        if len(key) < _LEAST_KEY:
            raise ConfigInvalid(
                f"predictionLog.hash.keyEnv: the key in {self.key_env} has less than {_LEAST_KEY} characters:"
                " take a random one, such as `openssl rand -hex 32`"
            )
        return key


class PredictionLog(Part):
    """The log of one pod; sizes in bytes, times in seconds. `max_files` full files are what it may occupy."""

    directory: Path
    max_file_bytes: Annotated[int, Field(ge=1)]
    max_files: Annotated[int, Field(ge=1)]
    max_age_seconds: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)] = 60.0
    flush_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.2
    sync: bool = False
    when_full: Literal["dropOldest", "dropNewest"] = "dropOldest"
    enabled: bool = True
    sample: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    redact: Annotated[list[RecordPath], Field(max_length=64)] = Field(default_factory=list)
    hash: HashedFields | None = None
    headers: Annotated[list[HeaderName], Field(max_length=64)] = Field(default_factory=list)
    shipped: bool = False

    @property
    def hidden(self) -> frozenset[str]:
        """The paths of what nobody may read."""
        return frozenset((*self.redact, *(self.hash.fields if self.hash is not None else ())))

    @field_validator("headers", mode="before")
    @classmethod
    def _lower(cls, names: object) -> object:
        return [name.lower() if isinstance(name, str) else name for name in names] if isinstance(names, list) else names

    @field_validator("redact")
    @classmethod
    def _redactable(cls, paths: list[str]) -> list[str]:
        for path in paths:
            if path.partition(".")[0] not in _REDACTABLE:
                raise ValueError(f"{path}: cannot be redacted; there are {', '.join(_REDACTABLE)}, and what is in them")
        return paths
