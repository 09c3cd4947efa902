"""Train one bundle's model with the features of its own workflow, so that training and serving cannot differ."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from flight_delay.data import Flight

PRIOR_FLIGHTS = 100  # weight of the overall rate in a carrier's or destination's own
Rates = dict[str, Any]


def late_rates(flights: Iterable[Flight]) -> Rates:
    """Share of late flights by carrier and by destination, pulled to the overall share where there are few."""
    rows = list(flights)
    overall = sum(flight.late for flight in rows) / len(rows)
    return {
        "overall": round(overall, 6),
        "carrier": _rates(((flight.carrier, flight.late) for flight in rows), overall),
        "dest": _rates(((flight.dest, flight.late) for flight in rows), overall),
    }


def to_json(rates: Rates) -> str:
    """The text of a bundle's rates.json."""
    return json.dumps(rates, indent=1)


def _rates(rows: Iterable[tuple[str, bool]], overall: float) -> dict[str, float]:
    counts: dict[str, list[int]] = {}
    for key, late in rows:
        count = counts.setdefault(key, [0, 0])
        count[0] += late
        count[1] += 1
    return {
        key: round((late + PRIOR_FLIGHTS * overall) / (n + PRIOR_FLIGHTS), 6)
        for key, (late, n) in sorted(counts.items())
    }


def fit(rows: np.ndarray, late: np.ndarray) -> HistGradientBoostingClassifier:
    """Gradient-boosted trees; one thread and a fixed seed, so that the same data gives the same bytes."""
    model = HistGradientBoostingClassifier(
        max_iter=120, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=200, early_stopping=False, random_state=0
    )
    with threadpool_limits(limits=1):
        return model.fit(rows, late)
