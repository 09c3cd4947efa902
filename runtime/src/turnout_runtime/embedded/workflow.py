"""Loads a bundle, and answers with it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, overload

from turnout_runtime.bundle.local import open_bundle
from turnout_runtime.bundle.source import Bundle
from turnout_runtime.config import ModelServer, unlimited
from turnout_runtime.embedded.background import Background
from turnout_runtime.embedded.facts import GivenFacts, give
from turnout_runtime.loading import LoadedWorkflow, load_workflow
from turnout_runtime.predict.answer import answer
from turnout_runtime.predict.build import dataplane
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.scratch import scratch

Request = Mapping[str, Any] | bytes
Answer = dict[str, Any]
_WINDOW = 256  # requests of one call that run at once


def load(
    bundle: str | Path,
    *,
    digest: str | None = None,
    facts: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    cache: str | Path | None = None,
    triton: str | None = None,
) -> "Embedded":
    """Load a bundle (folder, archive, or URL with its digest) to call it here; blocks until it is warm.

    `facts` says by name where facts come from: a function of the key (plain or async, None for no such key), a fixed
    object, or the configuration that a deployment would have (a mapping with `timeoutSeconds`). `timeout` is the
    seconds that one prediction may take, by default without limit. Archives are unpacked in `cache`, by default until
    `close()`. `triton` is the HOST:PORT (gRPC) of the Triton that models of that format run on. Raises a `StartError`.
    """
    background = Background()
    resources = ExitStack()
    resources.callback(background.stop)
    try:
        folder = Path(cache) if cache else resources.enter_context(scratch())
        opened = background.run(asyncio.to_thread(open_bundle, bundle, folder, digest))
        given = give(facts or {})
        server = None if triton is None else ModelServer.model_validate({"triton": {"url": triton}})
        loaded = background.run(load_workflow(opened, unlimited(_WINDOW), model_server=server))
        resources.callback(lambda: background.run(loaded.close()))
        plane = background.run(_ready(opened, loaded, given))
        resources.callback(lambda: background.run(given.close()))
        resources.callback(plane.close)
    except BaseException:
        resources.close()
        raise
    return Embedded(opened, plane, background, resources, timeout)


class Embedded:
    """A loaded workflow. Its methods may be called from several threads at once."""

    def __init__(
        self,
        bundle: Bundle,
        plane: Dataplane,
        background: Background,
        resources: ExitStack,
        timeout: float | None,
    ) -> None:
        self._plane, self._background, self._resources = plane, background, resources
        self._version = _version(bundle)
        self._route = Route(bundle.manifest.name, timeout=timeout)

    def predict(self, request: Request) -> Answer:
        """Answer a prediction request, JSON or parsed, with the body that HTTP would answer.

        Raises `RequestError` for a request that is refused, and what the workflow raised when it failed.
        """
        return self._finished(self._background.run(self._plane.predict(self._route, request)))

    async def apredict(self, request: Request) -> Answer:
        """`predict` for a caller that runs on an event loop, which stays free meanwhile."""
        return self._finished(await self._background.arun(self._plane.predict(self._route, request)))

    @overload
    def predict_many(self, requests: Iterable[Request], *, errors: Literal["raise"] = ...) -> list[Answer]: ...

    @overload
    def predict_many(
        self, requests: Iterable[Request], *, errors: Literal["return"]
    ) -> list[Answer | BaseException]: ...

    def predict_many(
        self, requests: Iterable[Request], *, errors: Literal["raise", "return"] = "raise"
    ) -> list[Answer] | list[Answer | BaseException]:
        """Answers in the order of the requests, which share model runs.

        `errors="return"` puts an exception in the place of an answer; otherwise the first one is raised.
        """
        if isinstance(requests, Mapping | bytes | str):
            raise TypeError("predict_many takes a list of requests; predict takes one")
        predictions = self._background.run(self._many(list(requests)))
        if errors == "return":
            return [p.error if p.error is not None else answer(p, self._version) for p in predictions]
        return [self._finished(prediction) for prediction in predictions]

    def close(self) -> None:
        """Give up threads and connections; it answers nothing afterwards. Closing twice does no harm."""
        self._resources.close()

    def __enter__(self) -> "Embedded":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    async def _many(self, requests: Sequence[Request]) -> list[Prediction]:
        found: list[Prediction] = []
        for start in range(0, len(requests), _WINDOW):
            window = requests[start : start + _WINDOW]
            found += await asyncio.gather(*(self._plane.predict(self._route, request) for request in window))
        return found

    def _finished(self, prediction: Prediction) -> Answer:
        if prediction.error is not None:
            raise prediction.error
        return answer(prediction, self._version)


async def _ready(bundle: Bundle, loaded: LoadedWorkflow, given: GivenFacts) -> Dataplane:
    await given.warm()
    return dataplane(loaded.workflow, given.rules, unlimited(_WINDOW), _version(bundle))


def _version(bundle: Bundle) -> str:
    return f"{bundle.manifest.name}-{bundle.manifest.version}"
