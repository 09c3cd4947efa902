"""Trained steps: loaded from a bundle's files, run in batches."""

from turnout_runtime.models.batch import Batcher
from turnout_runtime.models.model import Model

__all__ = ["Batcher", "Model"]
