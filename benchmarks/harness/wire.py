"""HTTP/1.1 as far as a load generator needs it. Pure."""

from collections.abc import Mapping

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


def message(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole POST request for JSON."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answered(data: bytes) -> tuple[int, bool] | None:
    """Status of the answer in `data`, and whether the connection stays open; None while some of it is missing.

    Raises ValueError for an answer without a length.
    """
    end = data.find(_HEAD_END)
    if end < 0:
        return None
    head = data[:end].lower()
    at = head.find(_LENGTH)
    if at < 0:
        raise ValueError(f"an answer without Content-Length: {data[:200]!r}")
    line_end = head.find(b"\r\n", at)
    length = int(head[at + len(_LENGTH) : line_end if line_end > 0 else end])
    if len(data) < end + len(_HEAD_END) + length:
        return None
    return int(head[9:12]), b"connection: close" not in head
