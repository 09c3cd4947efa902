"""Whether requests are traced, and where to: what the OpenTelemetry variables of the environment say."""

import os
from collections.abc import Callable, Mapping

from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.log.record import Identity
from turnout_runtime.predict.dataplane import Dataplane
from turnout_runtime.predict.prediction import Prediction

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names a collector (OpenTelemetry Protocol Exporter specification)."""
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(environment.get(name) for name in _ENDPOINTS)


def begin_traces(plane: Dataplane, identity: Identity) -> Callable[[], None]:
    """Trace the dataplane's requests, if that is wanted; what it returns sends the last spans, and may wait for it.

    Raises `ConfigInvalid` when traces are wanted from an image that cannot make them.
    """
    if not wanted():
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        from turnout_runtime.serve.traces import Traces
    except ImportError as error:
        raise ConfigInvalid(
            "OTEL_EXPORTER_OTLP_ENDPOINT: this image cannot trace: add turnout-runtime[otel]"
        ) from error
    traces, sink = Traces(identity, OTLPSpanExporter()), plane.sink
    assert sink is not None

    def traced(prediction: Prediction) -> None:
        sink(prediction)
        traces.end(prediction)

    plane.tracer, plane.sink = traces.begin, traced
    return traces.close
