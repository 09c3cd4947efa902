"""The runtime's configuration file, as the operator renders it for one revision, or as a laptop writes it by hand."""

from turnout_runtime.config.batch import Batch, SnapshotLocation
from turnout_runtime.config.bundle import BundleSource
from turnout_runtime.config.facts import (
    Breaker,
    CallerLocation,
    FactCache,
    FactConfig,
    FeastLocation,
    HttpLocation,
    PluginLocation,
    RedisLocation,
)
from turnout_runtime.config.file import ModelServer, Requires, RuntimeConfig, TritonServer, load
from turnout_runtime.config.part import from_env
from turnout_runtime.config.prediction_log import HashedFields, PredictionLog
from turnout_runtime.config.serving import AnswerCache, Batching, Budget, Idempotency, Serving, unlimited

__all__ = [
    "AnswerCache",
    "Batch",
    "Batching",
    "Breaker",
    "Budget",
    "BundleSource",
    "CallerLocation",
    "FactCache",
    "FactConfig",
    "FeastLocation",
    "HashedFields",
    "HttpLocation",
    "Idempotency",
    "ModelServer",
    "PluginLocation",
    "PredictionLog",
    "RedisLocation",
    "Requires",
    "RuntimeConfig",
    "Serving",
    "SnapshotLocation",
    "TritonServer",
    "from_env",
    "load",
    "unlimited",
]
