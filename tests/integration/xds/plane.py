"""A control plane in a process of its own, to be killed: reads its pickled content from stdin, prints its port."""

import asyncio
import pickle
import sys
from collections.abc import Sequence

from turnout_operator.plan.routes import Endpoint, PolicyRoute
from turnout_operator.xds.server import XdsServer

Content = tuple[dict[str, Sequence[Endpoint]], Sequence[PolicyRoute]]


async def main() -> None:
    endpoints, routes = pickle.loads(sys.stdin.buffer.read())
    xds = XdsServer(on_change=lambda key: None, gateway_port=0)
    for cluster, each in endpoints.items():
        xds.set_endpoints(cluster, each)
    for route in routes:
        xds.set_route(route)
    xds.set_serving(True)
    print(await xds.start("127.0.0.1:0", None), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
