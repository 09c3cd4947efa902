"""Waits until a Triton has a model ready: a sidecar may take longer to start than the runtime."""

import logging
import time
from typing import Any

from turnout_runtime.errors import ModelServerNotReady

READY_SECONDS = 300.0
_PAUSE = 0.2
_ANSWER = 2.0  # seconds for one question
_log = logging.getLogger("turnout.models")


def wait_until_ready(client: Any, name: str, url: str, model: str, version: str) -> None:
    """Return when the model can be asked; raises `ModelServerNotReady` with what Triton says about it.

    A model that the server does not have, or could not load, is told at once.
    """
    end, announced = time.monotonic() + READY_SECONDS, False
    while (missing := _missing(client, model, version)) is not None:
        text, final = missing
        if final or time.monotonic() > end:
            raise ModelServerNotReady(f"models.{name}: Triton at {url}: {text}")
        if not announced:
            _log.info("waiting for Triton", extra={"model": name, "url": url, "answer": text})
            announced = True
        time.sleep(_PAUSE)


def _missing(client: Any, model: str, version: str) -> tuple[str, bool] | None:
    """What keeps the model from being ready, and whether waiting is in vain; None when it is ready."""
    from tritonclient.utils import InferenceServerException

    try:
        if client.is_model_ready(model, version, client_timeout=_ANSWER):
            return None
        models = client.get_model_repository_index(client_timeout=_ANSWER).models
    except InferenceServerException as error:
        return f"no answer: {error.message()}", False
    return _state(models, model, version)


def _state(models: Any, model: str, version: str) -> tuple[str, bool]:
    """What the repository says of the model, and whether that is its last word."""
    ours = [each for each in models if each.name == model and version in ("", each.version)]
    if ours:
        told = "; ".join(f"version {each.version or '-'} is {each.state} {each.reason}".strip() for each in ours)
        return f"model {model!r} is not ready: {told}", all(each.state == "UNAVAILABLE" for each in ours)
    known = ", ".join(sorted({f"{each.name} {each.version}".strip() for each in models})) or "none"
    return f"no model {model!r}{f' version {version}' if version else ''} in its repository; there are {known}", True
