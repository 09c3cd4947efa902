"""The workflow that every server runs: a payment with its history -> 30 features -> model -> decision.

Plain Python, since that is quickest for twenty numbers. No import of a server: peers find it on their PYTHONPATH, our
bundle carries a copy.
"""

import math
import os
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

COUNTRIES = ("US", "GB", "DE", "FR", "IN", "BR", "JP", "CN", "ZA", "NG")
VERSION = "fraud-1"
WIDTH = 30
_COUNTRY = {country: number for number, country in enumerate(COUNTRIES)}
_DEVICES = 8


def features(amount: float, country: str, device: str, history: Sequence[float]) -> list[float]:
    """What the model sees, WIDTH numbers; `history` has the last amounts, at least five, oldest first."""
    count = len(history)
    mean = math.fsum(history) / count
    deviation = math.sqrt(math.fsum([(x - mean) * (x - mean) for x in history]) / count)
    recent = (history[-1] + history[-2] + history[-3] + history[-4] + history[-5]) / 5.0
    last = history[-1]
    countries, devices = [0.0] * len(COUNTRIES), [0.0] * _DEVICES
    if (number := _COUNTRY.get(country)) is not None:
        countries[number] = 1.0
    devices[zlib.crc32(device.encode()) % _DEVICES] = 1.0
    return [
        math.log1p(amount),
        (amount - mean) / (deviation + 1e-6),
        mean,
        deviation,
        max(history),
        min(history),
        recent,
        recent - mean,
        last,
        last - history[0],
        amount / (mean + 1e-6),
        math.log1p(deviation),
        *countries,
        *devices,
    ]


def decision(score: float) -> str:
    """The business answer."""
    return "review" if score > 0.5 else "approve"


class Model:
    """The trained step as the peers run it: onnxruntime with one thread, which suits these sizes best."""

    def __init__(self, path: str = "") -> None:
        import numpy
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = path or os.environ["BENCH_MODEL"]
        self._run = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run
        self._array, self._float32 = numpy.array, numpy.float32

    def scores(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """One score a row."""
        output = self._run(["score"], {"features": self._array(rows, dtype=self._float32)})[0]
        return output[:, 0].tolist()  # type: ignore[no-any-return]

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The whole workflow for one request."""
        return self.answers([request])[0]

    def answers(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The whole workflow for several requests with one run of the model."""
        scores = self.scores([features(r["amount"], r["country"], r["device"], r["history"]) for r in requests])
        return [
            {"request_id": r["request_id"], "score": score, "decision": decision(score), "model_version": VERSION}
            for r, score in zip(requests, scores, strict=True)
        ]
