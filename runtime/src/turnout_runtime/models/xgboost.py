"""XGBoost models in its own formats: JSON and UBJSON."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from turnout_runtime.bundle.manifest import ModelFile
from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models.library import imported
from turnout_runtime.models.model import Loaded
from turnout_runtime.workflow.features import Row

_SUFFIXES = (".json", ".ubj")


def library() -> ModuleType:
    """xgboost; raises `BundleInvalid` where it is not installed."""
    return imported("xgboost", "an XGBoost", "xgboost")


def load(name: str, path: Path, entry: ModelFile) -> Loaded:
    """Load a booster; the score is what its objective makes of it. Raises `BundleInvalid`.

    After early stopping it ends at the best iteration, as XGBoost's scikit-learn classes do.
    """
    xgboost = library()
    if path.suffix not in _SUFFIXES:
        raise BundleInvalid(f"models.{name}.path: {path.name} must end in .json or .ubj, as XGBoost tells them apart")
    try:
        booster = xgboost.Booster({"nthread": 1}, model_file=str(path))
    except Exception as error:
        text = str(error).partition("\nStack trace")[0]
        raise BundleInvalid(f"models.{name}: {path.name} is not a readable XGBoost model: {text}") from error
    booster.set_param({"nthread": 1, "device": "cpu"})  # a file may say otherwise
    names = booster.feature_names
    about = {"runtime": f"xgboost {xgboost.__version__}", "rounds": str(booster.num_boosted_rounds())}
    return Loaded(_runner(xgboost, booster), booster.num_features(), None, tuple(names) if names else None, about)


def _runner(xgboost: ModuleType, booster: Any) -> Callable[[Sequence[Row]], list[float]]:
    import numpy as np

    from turnout_runtime.models.arrays import scores
    from turnout_runtime.models.tables import reader

    best = booster.attr("best_iteration")
    rounds = (0, int(best) + 1) if best is not None else (0, 0)

    def predict(table: Any) -> Any:
        return booster.inplace_predict(table, iteration_range=rounds, validate_features=False)

    def predict_linear(table: Any) -> Any:
        return booster.predict(xgboost.DMatrix(table, nthread=1), validate_features=False)

    try:
        predict(np.zeros((1, booster.num_features()), np.float32))
        chosen = predict
    except xgboost.core.XGBoostError:  # linear boosters
        chosen = predict_linear

    read = reader(booster.num_features(), np.float32)

    def run(rows: Sequence[Row]) -> list[float]:
        return scores("prediction", chosen(read(rows)))

    return run
