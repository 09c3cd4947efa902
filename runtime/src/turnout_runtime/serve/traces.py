"""OpenTelemetry: one span a request, and under it one span a stage.

The spans of the stages are made from the times that a prediction keeps anyway, after it is answered; only the
request's own span begins before, since its id travels to the fact services (W3C Trace Context).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from turnout_runtime.log.record import Identity
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_W3C = TraceContextTextMapPropagator()


class Traces:
    """Begins a span for each request that is sampled, and ends it with its prediction."""

    def __init__(self, identity: Identity, exporter: "SpanExporter") -> None:
        """Sampling is the SDK's: OTEL_TRACES_SAMPLER, by default whatever the caller's trace says."""
        resource = Resource.create(
            {
                "service.name": identity.model_deployment,
                "service.namespace": identity.namespace,
                "service.version": identity.revision,
            }
        )
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("turnout_runtime")

    def begin(self, prediction: Prediction) -> None:
        """Open the request's span, when it is sampled; what the request asks for goes on inside it."""
        route = prediction.route
        parent = _W3C.extract(_carrier(route))
        span = self._tracer.start_span(
            f"predict {route.objective}", parent, SpanKind.SERVER, start_time=prediction.time_ns
        )
        if not span.is_recording():
            return
        context = set_span_in_context(span, parent)
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, context)
        prediction.span = span, context
        prediction.route = route._replace(traceparent=carrier["traceparent"], tracestate=carrier.get("tracestate"))

    def end(self, prediction: Prediction) -> None:
        """Add the spans of the stages and end the request's; nothing when it was not sampled."""
        if prediction.span is None:
            return
        span, context = prediction.span
        end = prediction.time_ns + int(prediction.total * 1e9)
        for name, begin, until in _stages(prediction, end):
            self._tracer.start_span(name, context, start_time=begin).end(until)
        span.set_attributes({name: value for name, value in _attributes(prediction).items() if value is not None})
        if prediction.error is not None:
            span.set_status(Status(StatusCode.ERROR, prediction.error_type))
        span.end(end)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _carrier(route: Route) -> dict[str, str]:
    headers = {"traceparent": route.traceparent, "tracestate": route.tracestate}
    return {name: value for name, value in headers.items() if value}


def _stages(prediction: Prediction, end: int) -> Iterator[tuple[str, int, int]]:
    """Name, begin and end (ns since 1970) of each stage; they follow one another and the last ends with the request."""
    begin = end - int(sum(prediction.stages.values()) * 1e9)
    for name, seconds in prediction.stages.items():
        until = begin + int(seconds * 1e9)
        yield name, begin, until
        begin = until


def _attributes(prediction: Prediction) -> dict[str, str | bool | None]:
    route = prediction.route
    return {
        "turnout.prediction_id": prediction.prediction_id,
        "turnout.request_id": prediction.request.request_id if prediction.request else route.request_id,
        "turnout.status": prediction.status,
        "turnout.arm": route.arm,
        "turnout.policy_version": route.policy_version,
        "turnout.fallback_used": prediction.fallback_used,
    }
