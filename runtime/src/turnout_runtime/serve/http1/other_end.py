"""What the kernel knows about the caller: whether it has gone, and how much it has still to read.

One that has gone and one that has only closed its sending half look the same until something is sent: whoever has gone
answers with a reset. An interim answer is something that may be sent, as every HTTP/1.1 client skips it.
"""

import asyncio
import fcntl
import os
import socket
import sys
import termios
from collections.abc import Callable

from turnout_runtime.serve.http1.response import CONTINUE

_LOOKS = (0.005, 0.05, 0.25, 1.0)  # seconds: the reset takes one round trip
_CLOSED = 7  # the kernel's TCP_CLOSE


def when_gone(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, gone: Callable[[], None]) -> None:
    """Probe the other end, and call `gone` when it turns out to be closed."""
    transport.write(CONTINUE)
    for delay in _LOOKS:
        loop.call_later(delay, _look, transport, gone)


def in_kernel(transport: asyncio.Transport) -> int:
    """Bytes that are sent, and not acknowledged yet by the other end."""
    try:
        answer = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:  # closed meanwhile
        return 0
    return int.from_bytes(answer, sys.byteorder)


def _look(transport: asyncio.Transport, gone: Callable[[], None]) -> None:
    if not transport.is_closing() and _closed(transport.get_extra_info("socket").fileno()):
        gone()


def _closed(number: int) -> bool:
    with socket.socket(fileno=os.dup(number)) as copy:
        return copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED
