"""Our runtime with the bundles of this benchmark."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness import ours
from benchmarks.harness.ours import TIMEOUT
from benchmarks.harness.places import logs
from benchmarks.harness.servers import Dialect, compact
from benchmarks.runtime.environments import models
from benchmarks.runtime.workload.requests import enveloped

__all__ = ["PAYMENTS", "TIMEOUT", "Turnout", "assemble"]
_HERE = Path(__file__).parent
PAYMENTS = Dialect("/v1/bench/payments/predict", lambda payment: compact(enveloped(payment)), json.loads)


class Turnout(ours.Turnout):
    """A runtime process with a bundle of bundles/."""

    def __init__(
        self,
        name: str,
        core: int,
        bundle: str,
        model: str | None = None,
        serving: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        prediction_log: Mapping[str, Any] | None = None,
    ) -> None:
        """`bundle`: a folder below bundles/; `model`: what of the trained ones is in it."""
        source = assemble(bundle, model, ours.fresh(logs() / name) / "bundle")
        super().__init__(name, core, source, PAYMENTS, serving, facts, prediction_log)


def assemble(bundle: str, model: str | None, folder: Path) -> Path:
    """A bundle's own files, the workflow that all servers share, and a trained model under the name it expects."""
    shutil.copytree(_HERE / "bundles" / bundle, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if model is not None:
        shutil.copy2(_HERE / "workload" / "fraud.py", folder)
        shutil.copy2(models() / f"{model}.onnx", folder / "fraud.onnx")
    return folder
