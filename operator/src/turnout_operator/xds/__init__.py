"""The route table as Envoy resources, served as delta ADS; nothing else talks to Envoy."""

import os

# grpc reads it once at import: its fork handlers cost a thread and gain nothing, since the operator never forks.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
