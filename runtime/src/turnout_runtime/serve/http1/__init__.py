"""HTTP/1.1 for the prediction port, on llhttp and the event loop's own transports.

A general framework costs as much per request as the whole workflow. What is here is what a server behind a proxy needs:
keep-alive, pipelining in order, chunked bodies, limits of size and of time, back-pressure, and an orderly end.
"""

from turnout_runtime.serve.http1.limits import Limits
from turnout_runtime.serve.http1.request import Request
from turnout_runtime.serve.http1.response import respond
from turnout_runtime.serve.http1.server import Server

__all__ = ["Limits", "Request", "Server", "respond"]
