"""The protocol over gRPC."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from turnout_runtime.errors import (
    BodyTooLarge,
    ConfigInvalid,
    Draining,
    InvalidRequest,
    NotFound,
    Overloaded,
    RequestError,
    RequestIdReused,
    RequestTimeout,
)
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.route import Route, route_of
from turnout_runtime.serve.oip.messages import fill, messages, metadata, tensors
from turnout_runtime.serve.oip.service import OUTPUTS, Inference
from turnout_runtime.serve.ports import Ports
from turnout_runtime.serve.problems import shown
from turnout_runtime.serve.readiness import Phase, Readiness
from turnout_runtime.serve.served import Served

if TYPE_CHECKING:
    from turnout_runtime.serve.tls import Gateway

SERVICE = "inference.GRPCInferenceService"
_CODES = {
    InvalidRequest: "INVALID_ARGUMENT",
    BodyTooLarge: "INVALID_ARGUMENT",
    RequestIdReused: "ALREADY_EXISTS",
    NotFound: "NOT_FOUND",
    Overloaded: "RESOURCE_EXHAUSTED",
    Draining: "UNAVAILABLE",
    RequestTimeout: "DEADLINE_EXCEEDED",
}
_Call = Callable[[Any, Any], Awaitable[Any]]


class GrpcDoor:
    """Serves the protocol's service on a port of its own."""

    def __init__(self, inference: Inference, dataplane: Dataplane, readiness: Readiness, served: Served) -> None:
        self._inference, self._dataplane = inference, dataplane
        self._readiness, self._served = readiness, served
        self._server: Any = None

    async def listen(self, ports: Ports, gateway: "Gateway | None") -> int | None:
        """Begin to serve, and say on which port; None where gRPC is not installed. Raises `ConfigInvalid`."""
        os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its own lines on stderr are no JSON
        pb = messages()
        if pb is None:
            return None
        import grpc
        import grpc.aio

        options = [("grpc.max_receive_message_length", self._served.max_body), ("grpc.so_reuseport", int(ports.shared))]
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers((_handlers(grpc, pb, self),))
        address = f"{ports.host or '[::]'}:{ports.grpc}"
        try:
            if gateway is None:
                bound: int = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, gateway.grpc_credentials())
        except RuntimeError as error:
            raise ConfigInvalid(f"cannot listen on port {ports.grpc}: {error}") from None
        await self._server.start()
        return bound

    async def close(self, timeout: float) -> None:
        """Take no more calls, and give those that run `timeout` seconds."""
        if self._server is not None:
            await self._server.stop(timeout)

    # -- the calls

    async def live(self, pb: ModuleType) -> Any:
        """ServerLive."""
        return pb.ServerLiveResponse(live=True)

    def ready(self) -> bool:
        """Whether calls should come."""
        return self._inference.ready

    def server(self, pb: ModuleType) -> Any:
        """ServerMetadata."""
        return pb.ServerMetadataResponse(**self._inference.server())

    def model(self, pb: ModuleType, request: Any, context: Any) -> Any:
        """ModelMetadata; raises `NotFound`."""
        self._inference.check_model(request.name, request.version, self._route(context).objective)
        return metadata(pb.ModelMetadataResponse(), self._inference.model(request.name))

    def model_ready(self, pb: ModuleType, request: Any, context: Any) -> Any:
        """ModelReady; raises `NotFound`."""
        self._inference.check_model(request.name, request.version, self._route(context).objective)
        return pb.ModelReadyResponse(ready=self._inference.ready)

    async def infer(self, pb: ModuleType, request: Any, context: Any) -> Any:
        """ModelInfer; raises a `RequestError`, or what the workflow raised."""
        started, route = time.perf_counter(), self._route(context)
        self._inference.check_model(request.model_name, request.model_version, route.objective)
        try:
            if self._readiness.phase is Phase.CLOSING:
                raise Draining("try again, another replica answers")
            rows = tensors(request)
            names = [output.name for output in request.outputs]
            inferred = await self._inference.infer(route, rows, request.id or None, names, started)
        except RequestError as error:
            self._dataplane.refuse(route, error)
            raise
        if inferred.failed is not None:
            assert inferred.failed.error is not None
            raise inferred.failed.error
        response = pb.ModelInferResponse(
            model_name=request.model_name, model_version=self._served.revision, id=request.id
        )
        for name, data in inferred.outputs.items():
            fill(response, name, OUTPUTS[name], data)
        return response

    def _route(self, context: Any) -> Route:
        """The metadata are what headers are elsewhere; an objective is the gateway's, or the deployment's own name."""
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        objective = headers.get("x-turnout-objective", "").rpartition("/")[2] or self._served.model_deployment
        route, remaining = route_of(objective, headers, self._served.logged), context.time_remaining()
        if remaining is None or (route.timeout is not None and route.timeout <= remaining):
            return route
        return route._replace(timeout=max(0.0, remaining))


def _handlers(grpc: ModuleType, pb: ModuleType, door: GrpcDoor) -> Any:
    """The service's methods; those that are not here are answered with UNIMPLEMENTED."""

    async def ready(request: Any, context: Any) -> Any:
        return pb.ServerReadyResponse(ready=door.ready())

    async def server(request: Any, context: Any) -> Any:
        return door.server(pb)

    async def model(request: Any, context: Any) -> Any:
        return door.model(pb, request, context)

    async def model_ready(request: Any, context: Any) -> Any:
        return door.model_ready(pb, request, context)

    calls: dict[str, _Call] = {
        "ServerLive": lambda request, context: door.live(pb),
        "ServerReady": ready,
        "ServerMetadata": server,
        "ModelReady": model_ready,
        "ModelMetadata": model,
        "ModelInfer": lambda request, context: door.infer(pb, request, context),
    }
    methods = {name: _method(grpc, pb, name, call) for name, call in calls.items()}
    return grpc.method_handlers_generic_handler(SERVICE, methods)


def _method(grpc: ModuleType, pb: ModuleType, name: str, call: _Call) -> Any:
    request, response = getattr(pb, f"{name}Request"), getattr(pb, f"{name}Response")

    async def answer(message: Any, context: Any) -> Any:
        try:
            return await call(message, context)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever it is, the caller sees a problem and never a traceback
            told = shown(error)
            context.set_trailing_metadata((("x-turnout-problem", told.slug),))
            await context.abort(_code(grpc, told), f"{told.title}: {told}")

    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.FromString, response_serializer=response.SerializeToString
    )


def _code(grpc: ModuleType, error: RequestError) -> Any:
    name = next((code for kind, code in _CODES.items() if isinstance(error, kind)), "INTERNAL")
    return getattr(grpc.StatusCode, name)
