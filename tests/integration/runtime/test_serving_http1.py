"""HTTP/1.1 as the prediction port speaks it: framing, order, limits, and how connections end."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.integration.runtime.wire import HOST, LIMITS, Wire, bodies, read, request, statuses, wait_for, wire

POST = b"POST /echo HTTP/1.1\r\n" + HOST
CLOSE = b"Connection: close\r\n"


@pytest.fixture(scope="module")
def door() -> Iterator[Wire]:
    with wire() as made:
        yield made


def test_pipelined_requests_are_answered_in_their_order(door: Wire) -> None:
    asked = [("/later", b"a"), ("/echo", b"b"), ("/later", b"c"), ("/no", b"d"), ("/echo", b"e")]
    sent = b"".join(request(body, target) for target, body in asked) + request(b"f", headers=CLOSE)
    assert bodies(door.exchange(sent)) == [b"a", b"b", b"c", b"no", b"e", b"f"]


def test_a_flood_of_pipelined_requests_is_answered_in_order(door: Wire) -> None:
    sent = b"".join(request(b"%d" % number, "/later" if number == 0 else "/echo") for number in range(5000))
    assert bodies(door.exchange(sent + request(b"end", headers=CLOSE)))[:-1] == [b"%d" % n for n in range(5000)]


@pytest.mark.parametrize(
    "body",
    [
        b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        b"7;name=value\r\nabcdefg\r\n0\r\n\r\n",
        b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: x\r\nHost: evil\r\n\r\n",
    ],
)
def test_chunks_are_one_body(door: Wire, body: bytes) -> None:
    sent = POST + b"Transfer-Encoding: chunked\r\n\r\n" + body + request(headers=CLOSE)
    assert bodies(door.exchange(sent)) == [b"abcdefg", b""]


def test_bytes_may_come_one_at_a_time(door: Wire) -> None:
    sent = request(b"abc") + POST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n"
    with door.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent:
            connection.sendall(bytes([byte]))
        assert bodies(read(connection)) == [b"abc", b"xyz"]


def test_a_body_that_is_held_back_is_asked_for(door: Wire) -> None:
    with door.connect() as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\n" + CLOSE + b"Content-Length: 3\r\n\r\n")
        assert read(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert bodies(read(connection)) == [b"abc"]


def test_a_body_is_asked_for_only_when_all_before_is_answered(door: Wire) -> None:
    with door.connect() as connection:
        expecting = POST + b"Expect: 100-continue\r\n" + CLOSE + b"Content-Length: 3\r\n\r\n"
        connection.sendall(request(b"first", "/later") + expecting)
        received = read(connection, b"100 Continue\r\n\r\n")
        assert statuses(received) == [200, 100]
        connection.sendall(b"abc")
        assert bodies(read(connection)) == [b"abc"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /no HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", 404),
        (POST + b"Expect: 100-continue\r\nContent-Length: 3000000\r\n\r\n", 413),
        (POST + b"Expect: the-best\r\nContent-Length: 3\r\n\r\n", 417),
    ],
)
def test_a_body_that_is_held_back_in_vain_is_not_asked_for(door: Wire, head: bytes, status: int) -> None:
    received = door.exchange(head)
    assert statuses(received) == [status]
    assert b"Connection: close" in received


def test_head_has_the_head_alone(door: Wire) -> None:
    received = door.exchange(request(b"abc", method="HEAD", headers=CLOSE))
    assert b"Content-Length: 3\r\n" in received
    assert received.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"FOO /echo HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /echo HTTP/3.1\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /ec ho HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\nHost: a\n\n", 400),
        (POST + b"A: b\r\n c\r\n\r\n", 400),
        (POST + b"A: \x00\r\n\r\n", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 415),
    ],
)
def test_what_is_no_http_is_told_so(door: Wire, sent: bytes, status: int) -> None:
    received = door.exchange(sent)
    assert statuses(received) == [status]
    assert b"application/problem+json" in received
    assert b"Connection: close" in received


SMUGGLED = b"POST /smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5, 6",
        b"Content-Length : 5",
        b"Content-Length: +5",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding:\x0bchunked",
        b" Transfer-Encoding: chunked",
    ],
)
def test_nothing_is_smuggled_behind_an_ambiguous_length(door: Wire, head: bytes) -> None:
    door.app.seen.clear()
    received = door.exchange(POST + head + b"\r\n\r\n0\r\n\r\n" + SMUGGLED, half=True)
    assert statuses(received) in ([400], [415])
    assert door.app.seen == []


def test_http_1_0_has_no_chunks(door: Wire) -> None:
    received = door.exchange(b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert statuses(received) == [400]


def test_a_head_beyond_the_limit_is_431(door: Wire) -> None:
    fits = request(b"abc", headers=b"A: " + b"x" * 60_000 + b"\r\n" + CLOSE)
    assert statuses(door.exchange(fits)) == [200]
    for sent in (b"A: " + b"x" * 100_000, b"\r\n".join(b"H%d: x" % number for number in range(20_000))):
        assert statuses(door.exchange(POST + sent)) == [431]
    assert statuses(door.exchange(b"GET /" + b"x" * 100_000)) == [431]


def test_a_body_beyond_the_limit_is_413_also_for_callers_that_send_on(door: Wire) -> None:
    assert statuses(door.exchange(request(b"x" * 100_000, headers=CLOSE))) == [200]
    assert statuses(door.exchange(request(b"x" * 100_001))) == [413]
    assert statuses(door.exchange(request(b"x" * 3_000_000))) == [413]
    chunks = b"".join(b"4000\r\n" + b"x" * 0x4000 + b"\r\n" for _ in range(100))
    assert statuses(door.exchange(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)) == [413]


def test_endless_framing_is_refused(door: Wire) -> None:
    trailers = b"Trailer: " + b"x" * 1_000_000
    received = door.exchange(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + trailers)
    assert statuses(received) == [400]


@pytest.mark.parametrize(
    ("sent", "part"), [(POST + b"A: b", b"head"), (POST + b"Content-Length: 90\r\n\r\nabc", b"body")]
)
def test_what_arrives_too_slowly_is_408(door: Wire, sent: bytes, part: bytes) -> None:
    with door.connect() as connection:
        started = time.monotonic()
        connection.sendall(sent)
        for _ in range(6):  # trickling does not help
            time.sleep(0.1)
            connection.sendall(b"x")
        received = read(connection)
    assert statuses(received) == [408]
    assert b"its %b was not complete" % part in received
    assert 0.7 < time.monotonic() - started < 4


def test_connections_that_ask_nothing_are_closed(door: Wire) -> None:
    with door.connect() as connection:
        assert connection.recv(1) == b""


def test_connections_that_have_asked_may_idle_for_longer() -> None:
    with wire(replace(LIMITS, idle_seconds=1.5)) as door, door.connect() as connection:
        started = time.monotonic()
        connection.sendall(request(b"abc"))
        assert bodies(read(connection, b"abc")) == [b"abc"]
        assert connection.recv(1) == b""
        assert time.monotonic() - started > 1.2


def test_a_caller_that_has_closed_its_half_gets_its_answers(door: Wire) -> None:
    received = door.exchange(request(b"a", "/later") + request(b"b", "/later"), half=True)
    assert bodies(received) == [b"a", b"b"]
    assert statuses(received) == [100, 200, 200]


@pytest.mark.parametrize("abruptly", [False, True])
def test_a_caller_that_has_gone_ends_its_request(door: Wire, abruptly: bool) -> None:
    before, seen = door.app.cancelled, len(door.app.seen)
    connection = door.connect()
    connection.sendall(request(b"a", "/hang"))
    wait_for(lambda: len(door.app.seen) > seen)
    if abruptly:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()
    wait_for(lambda: door.app.cancelled == before + 1)


def test_nothing_new_starts_while_answers_are_not_read(door: Wire) -> None:
    before = door.app.answered
    with door.connect() as connection:
        connection.sendall(request(target="/big") * 29 + request(target="/big", headers=CLOSE))
        time.sleep(0.3)
        assert door.app.answered - before < 15
        assert [len(body) for body in bodies(read(connection))] == [1_000_000] * 30


def test_a_caller_that_never_reads_is_dropped(door: Wire) -> None:
    with door.connect() as connection:
        connection.sendall(request(target="/big") * 40)
        wait_for(lambda: len(door.server.connections) == 1)
        wait_for(lambda: not door.server.connections)


def test_a_caller_that_reads_slowly_is_waited_for() -> None:
    with wire(replace(LIMITS, write_seconds=1.5)) as door, door.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(request(target="/big") * 5 + request(target="/big", headers=CLOSE))
        received = bytearray()
        for _ in range(50):  # far beyond the limit for those who do not read at all
            time.sleep(0.05)
            received += connection.recv(65536)
        received += read(connection)
    assert [len(body) for body in bodies(bytes(received))] == [1_000_000] * 6


def test_a_stream_waits_for_its_reader(door: Wire) -> None:
    door.app.answered = 0
    with door.connect() as connection:
        connection.sendall(request(b"20000", "/stream", CLOSE))
        time.sleep(0.3)
        assert door.app.answered < 12_000
        received = read(connection)
    assert b"Transfer-Encoding: chunked\r\n" in received
    assert received.endswith(b"\r\n0\r\n\r\n")
    assert received.count(b"3e8\r\n") == 20_000


def test_a_stream_to_http_1_0_ends_with_the_connection(door: Wire) -> None:
    received = door.exchange(b"POST /stream HTTP/1.0\r\nContent-Length: 1\r\n\r\n3")
    assert b"Transfer-Encoding" not in received
    assert [received.count(b"%06d..." % number) for number in range(4)] == [1, 1, 1, 0]


def test_a_stream_ends_when_its_reader_has_gone(door: Wire) -> None:
    before = door.app.cancelled
    with door.connect() as connection:
        connection.sendall(request(b"10000000", "/stream"))
        read(connection, b"000100")
    wait_for(lambda: door.app.cancelled == before + 1)


@pytest.mark.parametrize(
    ("version", "asked", "told"),
    [
        (b"1.1", b"", None),
        (b"1.1", b"Connection: close\r\n", b"close"),
        (b"1.0", b"", b"close"),
        (b"1.0", b"Connection: keep-alive\r\n", b"keep-alive"),
    ],
)
def test_connections_are_kept_as_asked(door: Wire, version: bytes, asked: bytes, told: bytes | None) -> None:
    sent = b"POST /echo HTTP/%b\r\nHost: x\r\n%bContent-Length: 3\r\n\r\nabc" % (version, asked)
    with door.connect() as connection:
        connection.sendall(sent)
        received = read(connection, b"abc")
        assert received.partition(b"Connection: ")[2].split(b"\r\n")[0] == (told or b"")
        if told == b"close":
            assert connection.recv(1) == b""
        else:
            connection.sendall(sent)
            assert bodies(read(connection, b"abc")) == [b"abc"]


def test_another_protocol_is_declined_and_the_request_answered(door: Wire) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    assert bodies(door.exchange(request(b"abc", headers=offer))) == [b"abc"]
    chunked = POST + offer + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert bodies(door.exchange(chunked[:-9], chunked[-9:])) == [b"abc"]
    assert bodies(door.exchange(b"GET /echo HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n")) == [b""]
    assert statuses(door.exchange(b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n")) == [500]


@pytest.mark.parametrize("target", ["/defect", "/defect-at-once", "/defect-in-head"])
def test_a_defect_is_a_problem_and_no_traceback(door: Wire, caplog: pytest.LogCaptureFixture, target: str) -> None:
    received = door.exchange(request(b"", target))
    assert statuses(received) == [500]
    assert b"s3cret" not in received
    assert "the door failed" in caplog.text


def test_the_end_waits_for_what_runs_and_closes_what_idles() -> None:
    with wire() as door, door.connect() as idle, door.connect() as busy:
        idle.sendall(request(b"abc"))
        read(idle, b"abc")
        busy.sendall(request(b"xyz", "/hang"))
        wait_for(lambda: b"/hang" in door.app.seen)
        door._loop.call_soon_threadsafe(lambda: door._loop.create_task(door.server.close(5.0)))  # type: ignore[arg-type]
        assert idle.recv(1) == b""
        door.let_go()
        assert bodies(read(busy)) == [b"xyz"]
        with pytest.raises(ConnectionRefusedError):
            door.connect()


def test_the_end_does_not_wait_forever() -> None:
    with wire() as door, door.connect() as busy:
        busy.sendall(request(b"xyz", "/hang"))
        wait_for(lambda: b"/hang" in door.app.seen)
        door.call(door.server.close, 0.1)
        assert door.app.cancelled == 1


def test_a_head_that_came_before_is_read_as_it_was_then(door: Wire) -> None:
    first, last = request(b"abc"), request(b"end", headers=CLOSE)
    with door.connect() as connection:
        for sent, echoed in ((first, b"abc"), (request(b"xyz"), b"xyz"), (request(b"x\r\n"), b"x\r\n")):
            connection.sendall(sent)
            assert bodies(read(connection, echoed)) == [echoed]
        connection.sendall(request(b"123") + request(b"456", "/later") + last)  # behind each other
        assert bodies(read(connection)) == [b"123", b"456", b"end"]
    with door.connect() as connection:
        connection.sendall(first[:-2])
        time.sleep(0.05)
        connection.sendall(first[-2:] + last)
        assert bodies(read(connection)) == [b"abc", b"end"]
