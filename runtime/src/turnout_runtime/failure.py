"""The last words of a pod that cannot start, where Kubernetes reads them."""

import os
import re
from pathlib import Path

import orjson

TERMINATION_LOG = "/dev/termination-log"
_LIMIT = 4096  # Kubernetes keeps this many bytes
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


def redact(text: str) -> str:
    """The text without the credentials of any URL in it."""
    return _USERINFO.sub("***@", text)


def termination_message(reason: str, message: str) -> bytes:
    """`{"reason": …, "message": …}` in at most 4096 bytes, the message cut short where it must be."""
    text = redact(message)
    while True:
        encoded = orjson.dumps({"reason": reason, "message": text})
        if len(encoded) <= _LIMIT:
            return encoded
        text = f"{text[: len(text) - (len(encoded) - _LIMIT) // 6 - 2]}…"


def write_termination_log(reason: str, message: str) -> None:
    """Leave the message for the kubelet; without a place for it (outside Kubernetes) stderr has said it already."""
    path = Path(os.environ.get("TURNOUT_TERMINATION_LOG", TERMINATION_LOG))
    try:
        path.write_bytes(termination_message(reason, message))
    except OSError:
        return
