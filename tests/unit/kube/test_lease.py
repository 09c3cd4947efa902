import asyncio

import pytest
from tests.unit.kube.fakes import FakeApi

from turnout_operator.kube.errors import ApiError
from turnout_operator.kube.lease import LeaderElection


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def election(api: FakeApi, name: str, clock: Clock) -> LeaderElection:
    return LeaderElection(api, "ns", "lock", name, lease_seconds=6, renew_seconds=0.01, clock=clock)


async def leads(candidate: LeaderElection) -> bool:
    try:
        await asyncio.wait_for(candidate.acquire(), 0.05)
    except TimeoutError:
        return False
    return True


async def test_one_leads_and_the_other_waits_until_the_lease_was_not_renewed_by_its_own_clock():
    api, clock = FakeApi(), Clock()
    first, second = election(api, "first", clock), election(api, "second", clock)
    assert await leads(first)
    assert not await leads(second)
    clock.now = 5.9
    assert not await leads(second)
    clock.now = 6.1
    assert await leads(second)
    assert holder(api) == "second"


async def test_a_release_hands_over_at_once():
    api, clock = FakeApi(), Clock()
    first, second = election(api, "first", clock), election(api, "second", clock)
    assert await leads(first)
    await first.release()
    assert await leads(second)


async def test_a_leader_whose_lease_was_taken_stops_leading():
    api, clock = FakeApi(), Clock()
    first, second = election(api, "first", clock), election(api, "second", clock)
    assert await leads(first)
    assert not await leads(second)
    clock.now = 7
    assert await leads(second)
    await asyncio.wait_for(first.hold(), 1)
    assert holder(api) == "second"


async def test_a_leader_that_cannot_reach_the_api_server_stops_before_its_lease_ends():
    api = FakeApi()
    leader = LeaderElection(api, "ns", "lock", "first", lease_seconds=0.5, renew_seconds=0.05)
    assert await leads(leader)
    started = asyncio.get_running_loop().time()
    api.refuse = ApiError(500, "InternalError", "down")
    await asyncio.wait_for(leader.hold(), 1)
    assert 0.3 < asyncio.get_running_loop().time() - started < 0.5


async def test_a_request_that_hangs_does_not_keep_a_leader_longer():
    api = FakeApi()
    leader = LeaderElection(api, "ns", "lock", "first", lease_seconds=0.5, renew_seconds=0.05)
    assert await leads(leader)
    api.request = hang
    started = asyncio.get_running_loop().time()
    await asyncio.wait_for(leader.hold(), 1)
    assert asyncio.get_running_loop().time() - started < 0.5


async def test_a_blip_does_not_cost_the_leadership():
    api = FakeApi()
    leader = LeaderElection(api, "ns", "lock", "first", lease_seconds=0.5, renew_seconds=0.05)
    assert await leads(leader)
    api.refuse = ApiError(500, "InternalError", "down")
    holding = asyncio.create_task(leader.hold())
    await asyncio.sleep(0.2)
    api.refuse = None
    await asyncio.sleep(0.6)
    assert not holding.done()
    await cancel(holding)


async def test_a_renewal_whose_answer_was_lost_is_not_taken_for_somebody_elses():
    api = FakeApi()
    leader = LeaderElection(api, "ns", "lock", "first", lease_seconds=0.5, renew_seconds=0.05)
    assert await leads(leader)
    (path,) = api.objects
    api.objects[path]["metadata"]["resourceVersion"] = "written, but nobody was told"
    holding = asyncio.create_task(leader.hold())
    await asyncio.sleep(0.3)
    assert not holding.done()
    await cancel(holding)


async def hang(*args, **kwargs):
    await asyncio.sleep(3600)


async def cancel(task: asyncio.Task) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def holder(api: FakeApi) -> str:
    return next(iter(api.objects.values()))["spec"]["holderIdentity"]
