"""Tell Envoy that the pod stops: it answers on, but closes each connection with its next answer."""

from urllib.request import Request, urlopen

urlopen(Request("http://127.0.0.1:9901/healthcheck/fail", method="POST"), timeout=5)
