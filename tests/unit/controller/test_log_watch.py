"""Scrapes of the pods' logs: who is asked, how often, and whose condition is written again."""

from collections.abc import Collection

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from turnout_operator.controller.caches import Caches
from turnout_operator.controller.log_watch import LogWatch
from turnout_operator.controller.scraper import Http, Scraper, session
from turnout_operator.kube.resources import MODEL_DEPLOYMENTS, PODS
from turnout_operator.kube.store import Key
from turnout_operator.plan.samples import parse

KEY = Key("ns", "m")
SINKS = {"sinks": [{"name": "lake", "stdout": {}}]}
ADMIN, SHIPPER = "http://{}:8081/metrics", "http://{}:9092/metrics"
UP = 'turnout_log_sink_up{sink="lake"} 1.0\nturnout_log_lag_seconds{sink="lake"} 1.0\n'
DOWN = UP.replace(" 1.0\n", " 0.0\n", 1)


class FakePods:
    """Answers by URL; what is not in `texts` does not answer."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.asked: list[str] = []

    def answer(self, address: str, shipper: str | None = UP, admin: str | None = "") -> None:
        given = {ADMIN.format(address): admin, SHIPPER.format(address): shipper}
        self.texts = {**self.texts, **given}

    async def __call__(self, url: str, names: Collection[str]):
        self.asked.append(url)
        text = self.texts.get(url)
        return None if text is None else parse(text, names)


class World:
    """Caches, a watch and its scraper over fake pods."""

    def __init__(self) -> None:
        self.caches = Caches()
        self.clock = 0.0
        self.changed: list[Key] = []
        self.pods = FakePods()
        self.watch = LogWatch(self.caches, self.changed.append, lambda: self.clock)
        self.scraper = Scraper(self.watch, 0.0)
        self.version = 0

    def put(self, resource, name: str, **parts) -> None:
        self.version += 1
        meta = {"namespace": "ns", "name": name, "uid": f"u-{name}", "resourceVersion": str(self.version)}
        self.caches.store(resource).put({"metadata": meta | parts.pop("metadata", {}), **parts})

    def deployment(self, name: str = "m", log=None, **spec) -> None:
        self.put(MODEL_DEPLOYMENTS, name, spec={"predictionLog": SINKS if log is None else log, **spec})

    def pod(self, name: str, ip: str = "10.0.0.1", owner: str = "m", ready: bool = True, ships: bool = True) -> None:
        labels = {"serving.turnout.dev/model-deployment": owner, "serving.turnout.dev/revision": f"{owner}-1"}
        status = {"podIP": ip, "conditions": [{"type": "Ready", "status": str(ready)}]}
        if ships:
            status["initContainerStatuses"] = [{"name": "log"}]
        self.put(PODS, name, metadata={"labels": labels}, spec={"nodeName": "n", "containers": []}, status=status)

    async def rounds(self, count: int = 1) -> list[Key]:
        """Whose condition was to be written in these rounds."""
        self.changed.clear()
        for _ in range(count):
            await self.scraper.round(self.pods)
            self.clock += 15.0
        return list(self.changed)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_condition_is_written_when_it_turns_and_not_for_every_scrape(world):
    world.deployment()
    world.pod("a")
    world.pods.answer("10.0.0.1")
    assert await world.rounds(3) == [KEY]
    assert world.watch.seen(KEY).verdict.reason == "Delivering"
    world.pods.answer("10.0.0.1", DOWN)
    assert await world.rounds(4) == [KEY]
    assert world.watch.seen(KEY).verdict.reason == "SinkUnavailable"
    world.pods.answer("10.0.0.1")
    assert await world.rounds(2) == [KEY]


async def test_ready_pods_of_those_that_log_are_asked_and_nobody_else(world):
    world.deployment()
    world.deployment("plain", {})
    world.deployment("off", {"enabled": False})
    world.deployment("batch", {}, mode="batch")
    world.deployment("unreadable", {"future": 1})
    world.pod("a")
    world.pod("b", "fd00::1", owner="plain", ships=False)
    world.pod("c", "10.0.0.3", ready=False)
    world.pod("d", "")
    for number, owner in enumerate(("off", "batch", "unreadable", "gone")):
        world.pod(owner, f"10.0.1.{number}", owner=owner)
    await world.rounds()
    assert sorted(world.pods.asked) == [
        "http://10.0.0.1:8081/metrics", "http://10.0.0.1:9092/metrics", "http://[fd00::1]:8081/metrics"
    ]  # fmt: skip


async def test_pods_that_do_not_answer_are_asked_ever_less_and_told_of_once(world):
    world.deployment()
    world.pod("a")
    assert await world.rounds(2) == []
    assert await world.rounds(60) == [KEY]
    assert world.watch.seen(KEY).verdict.reason == "NotObserved"
    assert len(world.pods.asked) <= 2 * 12
    world.pods.answer("10.0.0.1")
    await world.rounds(20)
    assert world.watch.seen(KEY).verdict.reason == "Delivering"
    world.pods.asked.clear()
    await world.rounds(3)
    assert len(world.pods.asked) == 2 * 3


async def test_what_a_pod_said_goes_with_it(world):
    world.deployment()
    world.pod("a")
    world.pods.answer("10.0.0.1", DOWN)
    await world.rounds(2)
    world.caches.pods.delete({**world.caches.pods.get(Key("ns", "a"))})
    await world.rounds()
    assert world.watch.seen(KEY) is None


async def test_many_pods_are_asked_a_few_at_a_time_and_a_failure_is_theirs_alone(world):
    world.deployment()
    for number in range(100):
        world.pod(f"p{number}", f"10.0.1.{number}")
        world.pods.answer(f"10.0.1.{number}", UP if number else None)
    await world.rounds(3)
    assert "the container log of 1 of 100 pods does not answer" in world.watch.seen(KEY).verdict.message


@pytest.fixture
async def server():
    async def answer(request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        wanted = request.query.getall("name[]")
        good = "\n".join(line for line in UP.splitlines() if line.startswith(tuple(wanted)))
        bodies = {"good": good, "bad": UP + "turnout_log_sink_up{", "big": "x" * 2**23}
        return web.Response(text=bodies[kind], status=200) if kind in bodies else web.Response(status=503)

    app = web.Application()
    app.router.add_get("/{kind}", answer)
    async with TestServer(app) as running:
        yield running


async def test_over_http_what_is_no_good_answer_is_none(server):
    names = ("turnout_log_sink_up", "turnout_log_lag_seconds")
    async with session() as http:
        fetch = Http(http)
        assert [s.name for s in await fetch(str(server.make_url("/good")), names)] == list(names)
        for kind in ("bad", "big", "broken"):
            assert await fetch(str(server.make_url(f"/{kind}")), names) is None
        assert await fetch("http://127.0.0.1:1/metrics", names) is None
