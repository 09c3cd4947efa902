"""`plan.explain` agrees with Envoy: 20,000 random requests to 64 random policies, and no difference."""

import asyncio
import random

from tests.integration.xds.randomness import ARMS, compare, random_policies
from tests.integration.xds.world import World

POLICIES = random_policies(range(100, 164))


async def test_explain_agrees_with_envoy(world: World) -> None:
    await world.start_pods(*ARMS)
    await world.serve(*POLICIES.values())
    envoy = await world.start_envoy()
    await asyncio.gather(*(compare(envoy, POLICIES, random.Random(share), 2_500) for share in range(100, 108)))
