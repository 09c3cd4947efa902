"""Bodies that came compressed. Pure."""

import zlib

from turnout_runtime.errors import BodyTooLarge, InvalidRequest, UnsupportedEncoding
from turnout_runtime.serve.http1 import Request

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def unpacked(request: Request, limit: int) -> bytes:
    """The body as it was before it was compressed, at most `limit` bytes; raises a `RequestError`."""
    encoding = request.headers["content-encoding"].strip().lower()
    if encoding in ("", "identity"):
        return request.body
    window = _WINDOWS.get(encoding)
    if window is None:
        raise UnsupportedEncoding(f"content-encoding {encoding[:64]!r} is not known here: send gzip, deflate or none")
    unpacker = zlib.decompressobj(window)
    try:
        body = unpacker.decompress(request.body, limit + 1)
    except zlib.error:
        raise InvalidRequest(f"the body is not {encoding}") from None
    if len(body) > limit:
        raise BodyTooLarge(f"the limit is {limit} bytes, unpacked")
    if not unpacker.eof:
        raise InvalidRequest(f"the body ends before its {encoding} data do")
    return body
