"""Rows of features, and their names. Pure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from turnout_runtime.errors import WorkflowError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Row: TypeAlias = "Sequence[float] | npt.NDArray[np.float32]"
"""One row, 1-d, in the order of the workflow's `feature_names`; NaN stands for a missing value."""

Features: TypeAlias = "Mapping[str, float] | Row"
"""What `Workflow.features` returns: a row, or its values by name in any order."""


def as_row(names: Sequence[str], features: Features) -> Row:
    """The features in the order of `names`; raises `WorkflowError` naming what is missing or too much."""
    if type(features) is not list and isinstance(features, Mapping):
        missing = [name for name in names if name not in features]
        if missing or len(features) != len(names):
            extra = [name for name in features if name not in names]
            raise WorkflowError(f"features() gave other names than feature_names: missing {missing}, unknown {extra}")
        return [features[name] for name in names]
    if len(features) != len(names):
        raise WorkflowError(f"features() gave {len(features)} values for {len(names)} feature_names")
    return features


def as_named(names: Sequence[str], features: Features) -> dict[str, float]:
    """The features by name, as they are logged; raises `WorkflowError` when a row does not fit the names."""
    if type(features) is not list and isinstance(features, Mapping):
        return {str(name): value for name, value in features.items()}
    return dict(zip(names, as_row(names, features)))  # noqa: B905  # of one length
