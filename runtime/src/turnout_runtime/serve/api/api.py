"""The application behind the HTTP port: which endpoint, whether it may run at all, and how errors look."""

from collections.abc import Mapping
from contextlib import suppress

from turnout_runtime.errors import Draining, MethodNotAllowed, NotFound, Overloaded, RequestError
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.route import route_of
from turnout_runtime.serve.api.endpoint import Endpoint, Endpoints, Handler
from turnout_runtime.serve.api.feedback import PATIENCE, Feedback, Keeper
from turnout_runtime.serve.api.openapi import OpenApi
from turnout_runtime.serve.api.predict import Predictor
from turnout_runtime.serve.api.replies import Replies
from turnout_runtime.serve.api.shedding import Shedding
from turnout_runtime.serve.http1 import Request
from turnout_runtime.serve.http1.app import Answer, Begun
from turnout_runtime.serve.http1.connection import Connection
from turnout_runtime.serve.oip.rest import Rest
from turnout_runtime.serve.oip.service import Inference
from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.serve.served import Served

_CLOSING = Phase.CLOSING  # an enumeration's members are slow to reach


class Api:
    """Translates between HTTP and the dataplane; the protocol below calls it."""

    def __init__(
        self, dataplane: Dataplane, readiness: Readiness, served: Served, keeper: Keeper | None = None
    ) -> None:
        """Without a `keeper` there is no feedback."""
        self._dataplane, self._readiness = dataplane, readiness
        self._replies = Replies(readiness, served.revision)
        self._logged = served.logged
        self._predict = Predictor(dataplane, self._replies, served.revision, served.max_body)
        self._feedback = None if keeper is None else Feedback(keeper, self._replies, served.max_body)
        self._openapi = OpenApi(dataplane.workflow, served, feedback=keeper is not None)
        self._oip = Rest(Inference(dataplane, readiness, served), dataplane, self._replies, served)
        self._endpoints = Endpoints(served.namespace, self._find)
        self._shedding = Shedding(dataplane, self._replies)
        self._remembers = dataplane.cache is not None or dataplane.idempotency is not None

    def _find(self, objective: str | None, path: str) -> Endpoint | None:
        if path == "/predict" and objective is not None:
            return Endpoint(objective, {b"POST": self._predict}, limited=True)
        if path == "/feedback" and objective is not None:
            if self._feedback is None:
                raise NotFound("feedback is kept in the prediction log, which is off (predictionLog.enabled)")
            return Endpoint(objective, {b"POST": self._feedback}, feedback=True)
        if path == "/openapi.json":
            return Endpoint(objective or "", {b"GET": lambda request, _: self._document(request, objective)})
        return self._oip.endpoint(objective, path)

    def _document(self, request: Request, objective: str | None) -> bytes:
        return self._replies.json(request, self._openapi.document(objective))

    def begin(self, request: Request) -> bytes | Begun | None:
        """Find the endpoint, and turn away what need not be read."""
        if request.endpoint is None:  # else this head came before
            try:
                request.endpoint = endpoint = self._endpoints.of(request.target)
            except NotFound as error:
                return self._replies.problem(request, error)
            method = request.method
            if method not in endpoint.methods and not (method == b"HEAD" and b"GET" in endpoint.methods):
                return self._other_method(request, endpoint)
            if endpoint.limited:
                request.route = route_of(endpoint.objective, request.headers, self._logged)
        if request.route is None:
            return self._begin_feedback(request) if request.endpoint.feedback else None
        if self._readiness.phase is _CLOSING:
            return self.refuse(request, Draining("try again, another replica answers"))
        if not self._remembers and self._dataplane.overloaded(self._predict.coming):  # memory needs no place
            return self._shedding.shed(request)
        return None

    def _begin_feedback(self, request: Request) -> bytes | None:
        """It is turned away like a prediction: what it costs is taken from these."""
        request.patience = PATIENCE
        if self._readiness.phase is _CLOSING:
            return self.refuse(request, Draining("try again, another replica answers"))
        if self._dataplane.overloaded(self._predict.coming):
            return self.refuse(request, Overloaded("queue_full"))
        return None

    def _other_method(self, request: Request, endpoint: Endpoint) -> bytes:
        if request.method == b"OPTIONS":
            return self._replies.options(request, endpoint.allow)
        error = MethodNotAllowed(f"this path takes {endpoint.allow}")
        return self._replies.problem(request, error, allow=endpoint.allow)

    def answer(self, request: Request, connection: Connection) -> bytes | Begun | Answer:
        """Answer a request whose body is there."""
        methods: Mapping[bytes, Handler] = request.endpoint.methods
        handler = methods.get(request.method) or methods[b"GET"]
        return handler(request, connection)

    def refuse(self, request: Request, error: RequestError) -> bytes:
        """Tell why the request is not taken; one that asked for a prediction leaves a record."""
        if request.route is None and request.started:
            self._locate(request)
        if request.route is not None:
            return self._replies.failure(request, self._dataplane.refuse(request.route, error))
        if self._feedback is not None and request.endpoint is not None and request.endpoint.feedback:
            return self._feedback.refuse(request, error)
        return self._replies.problem(request, error, allow="GET, HEAD, OPTIONS, POST")

    def _locate(self, request: Request) -> None:
        """Find out for a request that was refused early whether it asked for a prediction."""
        with suppress(NotFound):
            request.endpoint = endpoint = self._endpoints.of(request.target)
            if endpoint.limited and request.method in endpoint.methods:
                request.route = route_of(endpoint.objective, request.headers, self._logged)
