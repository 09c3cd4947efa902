"""LightGBM models in its own text format."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from turnout_runtime.bundle.manifest import ModelFile
from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models.library import imported
from turnout_runtime.models.model import Loaded
from turnout_runtime.workflow.features import Row


def library() -> ModuleType:
    """lightgbm; raises `BundleInvalid` where it is not installed."""
    return imported("lightgbm", "a LightGBM", "lightgbm")


def load(name: str, path: Path, entry: ModelFile) -> Loaded:
    """Load a booster; the score is what its objective makes of it. Raises `BundleInvalid`."""
    lightgbm = library()
    import numpy as np

    from turnout_runtime.models.arrays import scores
    from turnout_runtime.models.tables import reader

    try:
        booster = lightgbm.Booster(model_file=str(path))
    except Exception as error:  # LightGBMError, and others for text that is none
        raise BundleInvalid(f"models.{name}: {path.name} is not a readable LightGBM model: {error}") from error

    read = reader(booster.num_feature(), np.float64)

    def run(rows: Sequence[Row]) -> list[float]:
        return scores("prediction", booster.predict(read(rows), num_threads=1))

    names = tuple(booster.feature_name())
    automatic = names == tuple(f"Column_{n}" for n in range(len(names)))
    about = {"runtime": f"lightgbm {lightgbm.__version__}", "rounds": str(booster.num_trees())}
    return Loaded(run, booster.num_feature(), None, None if automatic else names, about)
