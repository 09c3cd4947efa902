"""The usual peer: a real Envoy in front of a real pod, also where only the gateway may call the pod."""

import asyncio
import io
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import ClientSession
from tests.integration.runtime.authority import Authority
from tests.integration.runtime.process import PREDICT, Runtime, config_for, running, serving
from tests.integration.xds.envoy import Envoy, free_port
from tests.unit.runtime.builders import BUNDLES

_HTTP = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TYPE = "type.googleapis.com/"


def _bootstrap(listener: int, upstream: int, tls: tuple[Path, Path] | None) -> dict[str, Any]:
    cluster: dict[str, Any] = {
        "name": "pod",
        "connect_timeout": "1s",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "pod",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
    }
    if tls is not None:
        pair = {"certificate_chain": {"filename": str(tls[0])}, "private_key": {"filename": str(tls[1])}}
        context = {
            "@type": f"{_TYPE}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": {"tls_certificates": [pair]},
        }
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    router = {"@type": f"{_TYPE}envoy.extensions.filters.http.router.v3.Router"}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "pod", "timeout": "10s"}}
    manager = {
        "@type": _TYPE + _HTTP,
        "stat_prefix": "in",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    filters = [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]
    return {
        "admin": {"address": _address(0)},
        "static_resources": {
            "listeners": [{"name": "in", "address": _address(listener), "filter_chains": filters}],
            "clusters": [cluster],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@asynccontextmanager
async def gateway(folder: Path, pod: int, tls: tuple[Path, Path] | None = None) -> AsyncIterator[Envoy]:
    port = free_port()
    async with ClientSession() as session:
        envoy = Envoy(folder, session, _bootstrap(port, pod, tls))
        envoy.url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(500):
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except OSError:
                    await asyncio.sleep(0.02)
            yield envoy
        finally:
            envoy.end()


async def _ask(envoy: Envoy, context: dict[str, Any], **headers: str) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with envoy.session.post(envoy.url + PREDICT, json={"context": context}, headers=named) as response:
        return response.status, await response.json(content_type=None)


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("pod")
    limits = serving(timeoutSeconds=2.0, maxBodyBytes=200_000, maxQueueWaitSeconds=1.0)
    with running(folder, config_for(folder, BUNDLES / "echo", serving=limits)) as runtime:
        yield runtime


async def test_what_a_gateway_passes_on_is_answered(pod: Runtime, tmp_path: Path) -> None:
    async with gateway(tmp_path / "envoy", pod.port("http")) as envoy:
        answers = await asyncio.gather(*(_ask(envoy, {"score": n / 100}) for n in range(200)))
        assert [(status, body["score"]) for status, body in answers if status == 200] == [
            (200, n / 100) for n, (status, _) in enumerate(answers) if status == 200
        ]
        assert {status for status, _ in answers} <= {200, 429}
        assert (await _ask(envoy, {"raise": "x"}))[0] == 500
        assert (await _ask(envoy, {"sleep": 5}, x_request_timeout_ms="100"))[0] == 504
        chunks = _pieces(b'{"context":', b'{"score":', b"0.5}}")
        async with envoy.session.post(envoy.url + PREDICT, data=chunks) as response:
            assert (await response.json())["score"] == 0.5
        async with envoy.session.post(envoy.url + PREDICT, data=io.BytesIO(b"x" * 2_000_000)) as response:
            assert response.status == 413
        async with envoy.session.post(envoy.url + PREDICT, data=b"{}", expect100=True) as response:
            assert response.status == 400
        async with envoy.session.head(f"{envoy.url}/openapi.json") as response:
            assert response.status == 200
        async with envoy.session.get(f"{envoy.url}/v2/models/echo") as response:
            assert (await response.json())["name"] == "echo"
        assert await envoy.admin("/stats?filter=cluster.pod.upstream_cx_protocol_error") == (
            "cluster.pod.upstream_cx_protocol_error: 0\n"
        )


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0.01)


async def test_a_caller_that_leaves_the_gateway_cancels_in_the_pod(pod: Runtime, tmp_path: Path) -> None:
    async with gateway(tmp_path / "envoy", pod.port("http")) as envoy:
        asked = asyncio.create_task(_ask(envoy, {"sleep": 1.9}))
        await asyncio.to_thread(pod.wait_for, lambda: pod.metric("turnout_in_flight") == 1)
        started = time.monotonic()
        asked.cancel()
        await asyncio.to_thread(pod.wait_for, lambda: pod.metric("turnout_in_flight") == 0)
        assert time.monotonic() - started < 1


async def test_no_request_fails_while_a_pod_drains(tmp_path: Path) -> None:
    config = config_for(tmp_path, BUNDLES / "echo", serving=serving(drainSeconds=0.5))
    with running(tmp_path / "pod", config) as runtime:
        async with gateway(tmp_path / "envoy", runtime.port("http")) as envoy:
            stop, statuses = asyncio.Event(), list[int]()

            async def ask() -> None:
                while not stop.is_set():
                    statuses.append((await _ask(envoy, {"sleep": 0.005}))[0])

            asking = [asyncio.create_task(ask()) for _ in range(4)]
            await asyncio.sleep(0.3)
            ended = asyncio.create_task(asyncio.to_thread(runtime.terminate))
            await asyncio.sleep(0.35)  # within the drain: the endpoints still name the pod
            stop.set()
            await asyncio.gather(*asking)
            assert await ended == 0
    assert set(statuses) == {200}
    assert len(statuses) > 50


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("gateway")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "ca.crt").write_bytes(authority.pem)
    limits = serving(access="gateway", gatewayCa=str(folder / "ca.crt"))
    with running(folder, config_for(folder, BUNDLES / "echo", serving=limits)) as runtime:
        yield runtime


def _call(port: int, pair: tuple[Path, Path] | None) -> int:
    """Status of a prediction over TLS; 0 where the pod ends the connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if pair is not None:
        context.load_cert_chain(*pair)
    body = b'{"context":{}}'
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain) as connection,
        ):
            connection.sendall(head + body)
            return int(connection.recv(100)[9:12] or 0)
    except (ssl.SSLError, ConnectionError):
        return 0


async def test_only_the_gateway_reaches_a_guarded_pod(guarded: Runtime, authority: Authority, tmp_path: Path) -> None:
    port, stranger = guarded.port("http"), Authority("stranger").client(tmp_path, "stranger")
    pair = authority.client(tmp_path, "envoy")
    async with gateway(tmp_path / "envoy", port, pair) as envoy:
        assert (await _ask(envoy, {"score": 0.5}))[1]["score"] == 0.5
        row = {"prediction_id": "p", "label": 1}
        async with envoy.session.post(envoy.url + PREDICT.replace("predict", "feedback"), json=row) as response:
            assert response.status == 202
    assert await asyncio.to_thread(_call, port, pair) == 200
    assert await asyncio.to_thread(_call, port, None) == 0
    assert await asyncio.to_thread(_call, port, stranger) == 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        plain.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1" not in plain.recv(1000)


def test_only_the_gateway_reaches_a_guarded_pod_by_grpc(guarded: Runtime, authority: Authority, tmp_path: Path) -> None:
    port = guarded.port("grpc")
    server = ssl.get_server_certificate(("127.0.0.1", guarded.port("http"))).encode()
    assert _live(port, server, None) == grpc.StatusCode.UNAVAILABLE
    assert _live(port, server, Authority("stranger").client(tmp_path, "s")) == grpc.StatusCode.UNAVAILABLE
    assert _live(port, server, authority.client(tmp_path, "g")) == grpc.StatusCode.OK


def _live(port: int, server: bytes, pair: tuple[Path, Path] | None) -> grpc.StatusCode:
    files = (None, None) if pair is None else (pair[1].read_bytes(), pair[0].read_bytes())
    credentials = grpc.ssl_channel_credentials(server, *files)
    options = [("grpc.ssl_target_name_override", "turnout")]
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        try:
            call(b"", timeout=5)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def test_a_new_authority_is_followed(guarded: Runtime, authority: Authority, tmp_path: Path) -> None:
    successor, file = Authority("successor"), Path(guarded.config["serving"]["gatewayCa"])
    old, new, port = authority.client(tmp_path, "old"), successor.client(tmp_path, "new"), guarded.port("http")
    assert (_call(port, old), _call(port, new)) == (200, 0)
    file.write_bytes(b"nothing")
    guarded.wait_for(lambda: any(event["message"].startswith("keeping") for event in guarded.events()))
    assert _call(port, old) == 200
    file.write_bytes(successor.pem)
    guarded.wait_for(lambda: _call(port, new) == 200)
    assert _call(port, old) == 0
    file.write_bytes(authority.pem)
    guarded.wait_for(lambda: _call(port, old) == 200)


def test_a_pod_without_an_authority_does_not_start(tmp_path: Path) -> None:
    limits = serving(access="gateway", gatewayCa=str(tmp_path / "absent"))
    runtime = Runtime(tmp_path, config_for(tmp_path, BUNDLES / "echo", serving=limits))
    words = runtime.last_words()
    assert words["reason"] == "ConfigInvalid"
    assert "serving.gatewayCa" in words["message"]
    assert json.dumps(words).count("Traceback") == 0
