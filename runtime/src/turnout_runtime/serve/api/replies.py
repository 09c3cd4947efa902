"""How everything that is answered on the prediction port looks."""

from collections.abc import Mapping
from typing import Any

import orjson

from turnout_runtime.errors import MethodNotAllowed, Overloaded, UnsupportedEncoding
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.serve.http1 import Request, respond
from turnout_runtime.serve.problems import document, shown
from turnout_runtime.serve.readiness import Phase, Readiness

JSON = b"application/json"
PROBLEM = b"application/problem+json"
RETRY_AFTER_SECONDS = 1
_READY = Phase.READY  # an enumeration's members are slow to reach
_NONE: Mapping[str, Any] = {}


class Replies:
    """Writes answers; while the pod is on its way out each says that the connection closes with it."""

    def __init__(self, readiness: Readiness, revision: str) -> None:
        self.readiness = readiness
        self.lines = f"x-turnout-revision: {revision}\r\n".encode()
        """Headers that every answer has."""
        self._shed = self.lines + b"Retry-After: %d\r\n" % RETRY_AFTER_SECONDS
        head, _, tail = orjson.dumps(document(Overloaded("queue_full"), {})).rpartition(b"}")
        self._shed_body = head.replace(b"%", b"%%") + b',"prediction_id":"%b"%b' + b"}" + tail

    def settle(self, request: Request) -> None:
        """Decide whether the connection goes on after this answer."""
        if self.readiness.phase is not _READY:
            request.keep_alive = False  # the next request goes to another pod

    def json(self, request: Request, body: bytes) -> bytes:
        """200 with a JSON body."""
        self.settle(request)
        return respond(request, 200, JSON, body, self.lines)

    def accepted(self, request: Request, body: bytes) -> bytes:
        """202 with a JSON body."""
        self.settle(request)
        return respond(request, 202, JSON, body, self.lines)

    def failure(self, request: Request, prediction: Prediction) -> bytes:
        """The problem that a prediction ended in."""
        assert prediction.error is not None
        return self.problem(request, prediction.error, members=ids(prediction))

    def problem(
        self, request: Request, error: BaseException, allow: str = "POST", members: Mapping[str, Any] = _NONE
    ) -> bytes:
        """A problem document; `allow` is for methods that are not allowed."""
        self.settle(request)
        told, lines = shown(error), self.lines
        match told:
            case Overloaded():
                lines = self._shed
            case MethodNotAllowed():
                lines += f"Allow: {allow}\r\n".encode()
            case UnsupportedEncoding():
                lines += b"Accept-Encoding: gzip, deflate\r\n"
        if request.endpoint is not None and request.endpoint.oip:
            members = {**members, "error": str(told)}  # what the Open Inference Protocol's clients read
        return respond(request, told.http_status, PROBLEM, orjson.dumps(document(told, members)), lines)

    def shed(self, request: Request, prediction: Prediction) -> bytes:
        """The same for a full queue, put together from parts that are ready: it is sent when time is short."""
        self.settle(request)
        request_id = prediction.route.request_id
        member = b"" if request_id is None else b',"request_id":' + orjson.dumps(request_id)
        body = self._shed_body % (prediction.prediction_id.encode(), member)
        return respond(request, 429, PROBLEM, body, self._shed)

    def options(self, request: Request, allow: str) -> bytes:
        """What may be asked of a path."""
        self.settle(request)
        return respond(request, 200, JSON, b"{}", self.lines + f"Allow: {allow}\r\n".encode())


def ids(prediction: Prediction) -> dict[str, str | None]:
    """How a caller may speak of a prediction."""
    request_id = prediction.request.request_id if prediction.request else prediction.route.request_id
    return {"prediction_id": prediction.prediction_id, "request_id": request_id}
