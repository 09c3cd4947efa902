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
    store.subscribe(lambda new, old: told.append((new or old)["metadata"]["name"]))
    api.lists = [listing(5, obj("a", 1), obj("b", 2)), listing(9, obj("b", 2))]
    api.script = [[{"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "old"}}], []]
    await run(api, store, seconds=0.5)
    assert names(store) == {"b"}
    assert told == ["a", "b", "a"]


async def test_a_410_on_the_request_itself_lists_again():
    api, store = FakeApi(), Store()
    api.lists = [listing(5, obj("a", 1)), listing(9, obj("a", 8))]
    api.script = [[gone()], []]
    await run(api, store, seconds=0.5)
    assert store.get(Key("ns", "a"))["metadata"]["resourceVersion"] == "8"


async def test_trouble_is_retried():
    api, store = FakeApi(), Store()
    api.lists = [listing(5, obj("a", 1)), listing(6, obj("a", 1), obj("b", 2))]
    api.script = [[ConnectionResetError("gone")], []]
    await run(api, store, seconds=0.5)
    assert names(store) == {"a", "b"}


async def test_a_watch_that_is_refused_again_and_again_does_not_list_at_full_speed():
    api, store = FakeApi(), Store()
    api.lists = [listing(5) for _ in range(50)]
    api.script = [[gone()] for _ in range(50)]
    await run(api, store, seconds=1.0)
    assert len(api.lists) >= 46


def test_an_older_version_never_replaces_a_newer_one():
    store = Store()
    assert store.put(obj("a", 5))
    assert not store.put(obj("a", 4))
    assert not store.put(obj("a", 5))
    assert not store.put(obj("a", 3, uid="older object"))
    assert store.put(obj("a", 6, uid="other"))


def test_a_deletion_that_comes_late_leaves_the_new_object_of_the_name():
    store = Store()
    store.put(obj("a", 1, uid="first"))
    store.put(obj("a", 3, uid="second"))
    store.delete(obj("a", 2, uid="first"))
    assert names(store) == {"a"}


def test_the_answer_to_a_write_that_comes_after_the_deletion_brings_nothing_back():
    store = Store()
    store.put(obj("a", 1))
    store.delete(obj("a", 2))
    assert not store.put(obj("a", 1))
    assert names(store) == set()


def test_a_listing_does_not_take_away_what_was_written_after_it():
    store = Store()
    store.put(obj("old", 1))
    store.put(obj("new", 9, uid="v"))
    store.retain([], 5)
    assert names(store) == {"new"}


def test_indexes_follow_the_objects():
    store = Store({"team": lambda o: [Key("ns", team) for team in o["teams"]]})
    store.put(obj("a", 1, teams=["x", "y"]))
    store.put(obj("b", 1, teams=["x"]))
    store.put(obj("a", 2, teams=["y"]))
    assert [o["metadata"]["name"] for o in store.find("team", Key("ns", "x"))] == ["b"]
    store.delete(obj("a", 3))
    assert store.find("team", Key("ns", "y")) == []
