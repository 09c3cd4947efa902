"""How a fact's server misbehaves: told by signals, so that it takes no port and works however busy it is.

SIGUSR1: each answer comes a second late. SIGUSR2: answers are garbage. SIGHUP: all is well again.
"""

import asyncio
import signal

SLOW_SECONDS = 1.0
GARBAGE = bytes(range(128, 256))


class Mode:
    """What is asked for now."""

    def __init__(self) -> None:
        self.slow = self.garbage = False
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._set, True, False)
        loop.add_signal_handler(signal.SIGUSR2, self._set, False, True)
        loop.add_signal_handler(signal.SIGHUP, self._set, False, False)

    def _set(self, slow: bool, garbage: bool) -> None:
        self.slow, self.garbage = slow, garbage
