"""The prediction API over HTTP.

Below aiohttp's application layer: with one route, its router and middlewares would be a tenth of a request's cost.
"""

import asyncio
import re
import time
from asyncio import Task
from dataclasses import dataclass

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from turnout_runtime.errors import (
    BodyTooLarge,
    Draining,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestError,
    RequestTimeout,
)
from turnout_runtime.predict.answer import answer
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.request import MAX_BODY
from turnout_runtime.predict.route import route_of
from turnout_runtime.serve.problems import CONTENT_TYPE, problem
from turnout_runtime.serve.readiness import Phase, Readiness

_PREDICT = re.compile(r"/v1/([a-z0-9-]{1,63})/([a-z0-9-]{1,63})/predict(?:\?.*)?")
_LIMIT = f"the limit is {MAX_BODY} bytes"
RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True)
class PredictionApi:
    """Translates between HTTP and the dataplane."""

    dataplane: Dataplane
    readiness: Readiness
    namespace: str
    revision: str

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request; every error becomes a problem document."""
        try:
            objective = self._objective(request)
        except RequestError as error:
            return self._problem(error)
        prediction = await self._predict(request, objective)
        response = self._answer(prediction) if prediction.error is None else self._failure(prediction)
        if self.readiness.phase is not Phase.READY:
            response.force_close()  # the next request on this connection goes to another pod
        return response

    async def _predict(self, request: web.BaseRequest, objective: str) -> Prediction:
        route, started = route_of(objective, request.headers), time.perf_counter()
        try:
            if self.readiness.phase is Phase.CLOSING:
                raise Draining("try again, another replica answers")
            async with asyncio.timeout(self.dataplane.expiry.timeout):
                body = await _read_body(request)
        except TimeoutError:
            return self.dataplane.refuse(route, RequestTimeout("the body did not come in time"))
        except RequestError as error:
            return self.dataplane.refuse(route, error)
        return await self.dataplane.predict(route, body, started=started)

    def _objective(self, request: web.BaseRequest) -> str:
        """The objective in the path; raises what keeps the request out."""
        match = _PREDICT.fullmatch(request.raw_path)
        if match is None or match[1] != self.namespace:
            raise NotFound(f"predictions are at /v1/{self.namespace}/<objective>/predict")
        if request.method != "POST":
            raise MethodNotAllowed("predictions are asked for with POST")
        return match[2]

    def _answer(self, prediction: Prediction) -> web.Response:
        return self._response(200, orjson.dumps(answer(prediction, self.revision)), "application/json")

    def _failure(self, prediction: Prediction) -> web.Response:
        assert prediction.error is not None
        request_id = prediction.request.request_id if prediction.request else prediction.route.request_id
        return self._problem(prediction.error, prediction_id=prediction.prediction_id, request_id=request_id)

    def _problem(self, error: BaseException, **members: str | None) -> web.Response:
        status, body = problem(error, members)
        response = self._response(status, body, CONTENT_TYPE)
        if isinstance(error, Overloaded):
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        elif isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = "POST"
        return response

    def _response(self, status: int, body: bytes, content_type: str) -> web.Response:
        headers = {"Content-Type": content_type, "x-turnout-revision": self.revision, "Server": "turnout"}
        return web.Response(status=status, body=body, headers=headers)


async def _read_body(request: web.BaseRequest) -> bytes:
    content = request.content
    try:
        if content.is_eof() and content.total_bytes <= MAX_BODY:
            return content.read_nowait()  # all of it came with the headers, as small bodies do
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge(_LIMIT) from None
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise InvalidRequest(f"the body cannot be read: {type(error).__name__}") from error


def server(api: PredictionApi) -> web.Server:
    """An aiohttp server for the API; a caller that goes away cancels its request."""
    return web.Server(
        api.handle,
        request_factory=_request,
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=3630,  # longer than a proxy's idle timeout (an hour), so that the proxy closes first
    )


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: "Task[None]",
) -> web.BaseRequest:
    loop = task.get_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)
