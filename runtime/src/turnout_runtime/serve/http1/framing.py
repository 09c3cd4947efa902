"""Whether a head announces a body that can be told apart from what follows it, and that is acceptable. Pure.

llhttp refuses what could smuggle a request (two lengths, a length beside chunks, stray line ends); what it leaves to
its users is here.
"""

from turnout_runtime.errors import BodyTooLarge, ExpectationFailed, InvalidRequest, RequestError, UnsupportedEncoding
from turnout_runtime.serve.http1.limits import Limits
from turnout_runtime.serve.http1.request import Request


def objection(request: Request, limits: Limits) -> RequestError | None:
    """Why the request cannot be taken, as its head shows; None when it can."""
    headers, old = request.headers, request.old
    if not old and ("host" not in headers or "," in headers["host"]):
        return InvalidRequest("HTTP/1.1 needs exactly one Host header")
    if "transfer-encoding" in headers:
        if old:
            return InvalidRequest("HTTP/1.0 has no Transfer-Encoding")
        if headers["transfer-encoding"].lower() != "chunked":
            return UnsupportedEncoding("the transfer encodings are: chunked")
    elif int(headers.get("content-length", 0)) > limits.body_bytes:
        return too_large(limits)
    if "expect" in headers and not old and headers["expect"].lower() != "100-continue":
        return ExpectationFailed("the only expectation that can be met is 100-continue")
    return None


def too_large(limits: Limits) -> BodyTooLarge:
    """What to say of a body beyond the limit."""
    return BodyTooLarge(f"the limit is {limits.body_bytes} bytes")


def has_body(request: Request) -> bool:
    """Whether anything follows the head."""
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
