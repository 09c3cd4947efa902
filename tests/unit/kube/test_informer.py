import asyncio
import contextlib

from tests.unit.kube.fakes import FakeApi, gone, listing, obj

from turnout_operator.kube.informer import Informer
from turnout_operator.kube.resources import PODS
from turnout_operator.kube.store import Key, Store


async def run(api: FakeApi, store: Store, seconds: float = 0.1) -> Informer:
    informer = Informer(api, PODS, store)
    task = asyncio.create_task(informer.run())
    await asyncio.sleep(seconds)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return informer


def names(store: Store) -> set[str]:
    return {found["metadata"]["name"] for found in store}


async def test_pages_are_put_together_and_events_applied():
    api, store = FakeApi(), Store()
    api.lists = [listing(5, obj("a", 1), token="more"), listing(5, obj("b", 2))]
    api.script = [
        [
            {"type": "ADDED", "object": obj("c", 6)},
            {"type": "DELETED", "object": obj("a", 7)},
            {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
        ]
    ]
    informer = await run(api, store)
    assert informer.synced.is_set()
    assert names(store) == {"b", "c"}


async def test_after_a_410_what_vanished_meanwhile_is_reported():
    api, store = FakeApi(), Store()
    told = []
    store.subscribe(lambda o: told.append(o["metadata"]["name"]))
    api.lists = [listing(5, obj("a", 1), obj("b", 2)), listing(9, obj("b", 2))]
    api.script = [[{"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "old"}}], []]
    await run(api, store)
    assert names(store) == {"b"}
    assert told == ["a", "b", "a"]


async def test_a_410_on_the_request_itself_lists_again():
    api, store = FakeApi(), Store()
    api.lists = [listing(5, obj("a", 1)), listing(9, obj("a", 8))]
    api.script = [[gone()], []]
    await run(api, store)
    assert store.get(Key("ns", "a"))["metadata"]["resourceVersion"] == "8"


async def test_trouble_is_retried():
    api, store = FakeApi(), Store()
    api.lists = [listing(5, obj("a", 1)), listing(6, obj("a", 1), obj("b", 2))]
    api.script = [[ConnectionResetError("gone")], []]
    await run(api, store, seconds=0.5)
    assert names(store) == {"a", "b"}


def test_an_older_version_never_replaces_a_newer_one_unless_the_object_is_another():
    store = Store()
    assert store.put(obj("a", 5))
    assert not store.put(obj("a", 4))
    assert not store.put(obj("a", 5))
    assert store.put(obj("a", 3, uid="other"))


def test_indexes_follow_the_objects():
    store = Store({"team": lambda o: [Key("ns", team) for team in o["teams"]]})
    store.put(obj("a", 1, teams=["x", "y"]))
    store.put(obj("b", 1, teams=["x"]))
    store.put(obj("a", 2, teams=["y"]))
    assert [o["metadata"]["name"] for o in store.find("team", Key("ns", "x"))] == ["b"]
    store.remove(Key("ns", "a"))
    assert store.find("team", Key("ns", "y")) == []
