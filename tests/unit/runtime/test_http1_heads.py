"""Remembered heads: equal to what the parser made of the first one, and for nothing but whole, equal requests."""

import pytest

from turnout_runtime.serve.http1.heads import Heads
from turnout_runtime.serve.http1.request import Request

HEAD = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"


def _parsed(body: bytes = b"abc", **headers: str) -> Request:
    request = Request()
    request.method, request.target, request.endpoint, request.route = b"POST", b"/p", "endpoint", "route"
    request.headers = {"host": "x", "content-length": str(len(body)), **headers}
    request.body, request.size, request.started = body, len(body), 1.0
    return request


def _learned(data: bytes = HEAD + b"abc", request: Request | None = None) -> Heads:
    heads = Heads()
    heads.learn(data, request or _parsed())
    return heads


def test_an_equal_head_is_known_with_another_body() -> None:
    first = _parsed()
    got = _learned(request=first).repeated(HEAD + b"xyz")
    assert got is not None
    assert (got.method, got.target, got.headers, got.body) == (b"POST", b"/p", first.headers, b"xyz")
    assert (got.endpoint, got.route, got.keep_alive, got.refusal) == ("endpoint", "route", True, None)
    assert got.started > first.started


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"ab",  # the rest is still to come
        HEAD + b"abcPOST /p",  # another one follows
        HEAD.lower() + b"abc",
        HEAD[:-2],
        b"abc",
        b"",
    ],
)
def test_anything_else_is_for_the_parser(data: bytes) -> None:
    assert _learned().repeated(data) is None


@pytest.mark.parametrize("name", ["transfer-encoding", "expect", "upgrade", "x-request-id", "traceparent"])
def test_heads_that_mean_more_or_never_come_again_are_not_kept(name: str) -> None:
    assert _learned(request=_parsed(**{name: "x"})).repeated(HEAD + b"abc") is None


def test_only_a_request_that_came_whole_and_alone_is_remembered() -> None:
    assert _learned(b"\r\n\r\n" + HEAD + b"abc").repeated(HEAD + b"abc") is None
    assert _learned(HEAD + b"abc" + HEAD).repeated(HEAD + b"abc") is None
    refused, last, old = _parsed(), _parsed(), _parsed()
    refused.refusal, last.keep_alive, old.old = b"no", False, True
    for request in (refused, last, old):
        assert _learned(request=request).repeated(HEAD + b"abc") is None


def test_memory_is_bounded() -> None:
    heads = Heads()
    for number in range(5000):
        heads.learn(b"POST /%d HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" % number, _parsed())
    assert len(heads._known) <= 512
    long = b"POST /" + b"x" * 4000 + b" HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    heads.learn(long, _parsed())
    assert heads.repeated(long) is None
