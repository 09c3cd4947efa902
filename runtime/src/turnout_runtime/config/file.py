"""The file as a whole."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from turnout_runtime.config.batch import Batch
from turnout_runtime.config.bundle import BundleSource
from turnout_runtime.config.facts import FactConfig
from turnout_runtime.config.part import Name, Part
from turnout_runtime.config.prediction_log import PredictionLog
from turnout_runtime.config.serving import Serving
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.validation import describe


class Requires(Part):
    """What the deployment demands of the bundle: each entry of its model card must have this value."""

    card: dict[str, str] = Field(default_factory=dict)


class TritonServer(Part):
    """A Triton that models of format `triton` run on; gRPC at `url` (HOST:PORT)."""

    url: Annotated[str, Field(pattern=r"^[^/\s]+:[0-9]+$")]
    shared_memory: bool = False


class ModelServer(Part):
    """Servers that stand beside the runtime."""

    triton: TritonServer


class RuntimeConfig(Part):
    """All that a pod is told."""

    namespace: Name
    model_deployment: Name
    revision: Name
    mode: Literal["online", "batch"] = "online"
    bundle: BundleSource
    serving: Serving
    facts: dict[str, FactConfig] = Field(default_factory=dict)
    model_server: ModelServer | None = None
    requires: Requires = Requires()
    batch: Batch | None = None
    prediction_log: PredictionLog

    @model_validator(mode="after")
    def _batch_has_its_part(self) -> "RuntimeConfig":
        if (self.mode == "batch") != (self.batch is not None):
            raise ValueError("batch is needed for mode: batch, and only there")
        return self


def load(path: Path) -> RuntimeConfig:
    """Read and check the configuration; raises `ConfigInvalid` that names the field, never its value."""
    try:
        return RuntimeConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigInvalid(f"cannot read the configuration {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigInvalid(f"{path}: {describe(error)}") from error
