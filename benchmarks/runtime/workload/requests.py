"""Payments from a seed."""

from typing import Any

import numpy as np
from benchmarks.runtime.workload.fraud import COUNTRIES

HISTORY = 20


def payments(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Requests as the peers take them: ids and the payment's fields side by side."""
    rng = np.random.default_rng(seed)
    return [_payment(rng, number) for number in range(count)]


def enveloped(payment: dict[str, Any]) -> dict[str, Any]:
    """The same request as Turnout's prediction API takes it."""
    context = {key: value for key, value in payment.items() if key not in ("request_id", "entity_id")}
    return {"request_id": payment["request_id"], "entity_id": payment["entity_id"], "context": context}


def _payment(rng: np.random.Generator, number: int) -> dict[str, Any]:
    return {
        "request_id": f"r-{number:08d}",
        "entity_id": f"user-{int(rng.integers(20_000)):05d}",
        "amount": round(float(rng.lognormal(3.5, 1.0)), 2),
        "country": COUNTRIES[int(rng.integers(len(COUNTRIES)))],
        "device": f"device-{int(rng.integers(2000)):04d}",
        "history": [round(float(amount), 2) for amount in rng.lognormal(3.5, 0.8, HISTORY)],
    }
