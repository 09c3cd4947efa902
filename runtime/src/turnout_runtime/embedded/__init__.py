"""A bundle's workflow inside any Python process: no server, no port, the same dataplane.

It runs on an event loop in a thread of its own, so that it can be called from a script, a notebook and another
event loop alike, and so that rows of one call share model runs as requests of a pod do.
"""

from turnout_runtime.embedded.workflow import Embedded, load

__all__ = ["Embedded", "load"]
