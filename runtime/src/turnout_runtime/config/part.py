"""What all parts of the configuration share."""

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from turnout_runtime.errors import ConfigInvalid

Seconds = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)]
Timeout = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=253)]
Entries = Annotated[int, Field(ge=1, le=10_000_000)]


class Part(BaseModel):
    """A part of the configuration: camelCase names, unknown fields refused, values never shown in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True)


def from_env(field: str, variable: str, environment: Mapping[str, str] = os.environ) -> str:
    """The secret that a variable holds; raises `ConfigInvalid` naming `field` when it is not set."""
    value = environment.get(variable)
    if not value:
        raise ConfigInvalid(f"{field}: the variable {variable} is not set: check its Secret")
    return value
