"""One request as it comes from the wire."""

from typing import Any

_MAX_NAMES = 1024
_names: dict[bytes, str] = {}


class Request:
    """Filled in while it is parsed. `headers` have lower-case names; repeated ones are joined with commas.

    `started` is when the head was complete, in seconds of the performance counter. `refusal` is the answer (bytes, or
    one on its way) where one was given before the body was read. `keep_alive` may still be cleared by whoever answers.
    `endpoint` and `route` belong to the application; so does `patience`, seconds for the body where not the limits'.
    """

    __slots__ = (
        "_more",
        "body",
        "endpoint",
        "headers",
        "keep_alive",
        "method",
        "old",
        "patience",
        "refusal",
        "route",
        "size",
        "started",
        "target",
    )

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.headers: dict[str, str] = {}
        self.body: bytes = b""
        self._more: list[bytes] | None = None
        self.size = 0
        self.started: float = 0.0  # 0 while the head is incomplete
        self.keep_alive = True
        self.old = False
        """Whether it is HTTP/1.0."""
        self.refusal: Any = None
        self.endpoint: Any = None
        self.patience: float | None = None
        self.route: Any = None

    def add_header(self, name: bytes, value: bytes) -> None:
        """Take a header; bytes that are no UTF-8 are kept as surrogates."""
        key = _names.get(name) or _learn(name)
        text = value.decode("utf-8", "surrogateescape")
        headers = self.headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def add_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        if not self.size:
            self.body = piece
        elif self._more is None:
            self._more = [self.body, piece]
        else:
            self._more.append(piece)
        self.size += len(piece)

    def seal(self) -> None:
        """The body is complete."""
        if self._more is not None:
            self.body, self._more = b"".join(self._more), None


def _learn(name: bytes) -> str:
    """The name in lower case, remembered as it is spelled: callers use few spellings, and attackers are bounded."""
    key = name.decode("latin-1").lower()
    if len(_names) < _MAX_NAMES:
        _names[name] = key
    return key
