"""The gateway's second container: wait for SIGTERM (a process 1 without a handler never sees it)."""

import signal
import sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
signal.pause()
