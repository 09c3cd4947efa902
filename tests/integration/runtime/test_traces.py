"""Spans as a real OTLP collector's port receives them from a real runtime."""

import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.integration.runtime.process import config_for, running
from tests.unit.runtime.builders import BUNDLES

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}


class Collector(BaseHTTPRequestHandler):
    """Keeps what is exported to it."""

    requests: list[ExportTraceServiceRequest]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append(ExportTraceServiceRequest.FromString(_inflated(body, self.headers)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _inflated(body: bytes, headers: Any) -> bytes:
    return gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    handler = type("Kept", (Collector,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.requests  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def all_spans(exported: list[Any]) -> list[Any]:
    scopes = [scope for request in exported for part in request.resource_spans for scope in part.scope_spans]
    return [span for scope in scopes for span in scope.spans]


def test_a_sampled_request_has_a_span_and_one_a_stage(tmp_path: Path, collector: tuple[str, list[Any]]) -> None:
    endpoint, exported = collector
    config = config_for(tmp_path, BUNDLES / "echo")
    with running(tmp_path, config, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as runtime:
        before = time.time_ns()
        assert runtime.predict({"a": 1}, headers=SAMPLED).status == 200
        assert runtime.predict({"a": 1}, headers={"traceparent": SAMPLED["traceparent"][:-1] + "0"}).status == 200
        assert runtime.terminate() == 0
    found = {span.name: span for span in all_spans(exported)}
    root = found["predict echo"]
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, PARENT)
    assert before <= root.start_time_unix_nano <= root.end_time_unix_nano <= time.time_ns()
    stages = {name: span for name, span in found.items() if name != root.name}
    assert {"queue", "features", "model", "decide"} <= set(stages)
    for span in stages.values():
        assert (span.parent_span_id, span.trace_id) == (root.span_id, root.trace_id)
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
    told = {item.key: item.value.string_value for item in root.attributes}
    assert told["turnout.status"] == "ok"
    names = {item.key: item.value.string_value for item in exported[0].resource_spans[0].resource.attributes}
    assert (names["service.name"], names["service.version"]) == ("echo", "echo-1a2b3c4d")
    assert len(all_spans(exported)) == len(found), "the request that was not sampled has spans"
