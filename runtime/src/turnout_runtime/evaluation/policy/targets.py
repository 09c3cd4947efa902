"""New policies: weights of arms, or one arm for all. Pure."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from turnout_runtime.errors import EvaluationInvalid
from turnout_runtime.evaluation.policy.estimate import Numbers

_ROUNDING = 1e-6


def parse_weights(text: str) -> dict[str, float]:
    """`stable=80,challenger=20`, or shares of 1, as shares of 1; raises `EvaluationInvalid`."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        try:
            found[name.strip()] = float(weight.strip().removesuffix("%"))
        except ValueError:
            raise EvaluationInvalid(
                f"--weights {text!r}: write ARM=WEIGHT,…, such as stable=80,challenger=20"
            ) from None
    total = sum(found.values())
    if not all(math.isfinite(weight) and weight >= 0 for weight in found.values()):
        raise EvaluationInvalid(f"--weights {text!r}: a weight is 0 or more")
    if not any(math.isclose(total, whole, rel_tol=_ROUNDING) for whole in (1, 100)):
        raise EvaluationInvalid(f"--weights {text!r}: they add up to {total:g}: make them 100 (or 1)")
    return {name: weight / total for name, weight in found.items()}


def actions_of(logged: Sequence[str], target: Mapping[str, float]) -> list[str]:
    """All arms that are logged or wanted, in the order of their names."""
    return sorted({*logged, *(name for name, share in target.items() if share > 0)})


def constant_target(rows: int, actions: Sequence[str], target: Mapping[str, float]) -> Numbers:
    """The same probabilities for every row: (rows, actions)."""
    shares = np.array([target.get(action, 0.0) for action in actions])
    return np.broadcast_to(shares, (rows, len(actions)))
