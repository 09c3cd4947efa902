"""The memory against a model that is too simple to be wrong."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from turnout_runtime.facts import Found
from turnout_runtime.facts.memory import Memory

TTL, STALE, ROOM = 10.0, 5.0, 3
KEYS = st.sampled_from("abcde")


class MemoryMachine(RuleBasedStateMachine):
    """Keeps, reads and waits in any order; the model is a list in order of last use."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.counter = 100.0, 0
        self.memory = Memory(TTL, STALE, ROOM, clock=lambda: self.now)
        self.model: list[tuple[str, int | None, float]] = []  # key, value, time; the longest unused first

    def _remembered(self, key: str) -> tuple[str, int | None, float] | None:
        return next((entry for entry in self.model if entry[0] == key), None)

    @rule(key=KEYS, absent=st.booleans())
    def keep(self, key: str, absent: bool) -> None:
        self.counter += 1
        value = None if absent else self.counter
        self.memory.keep(key, None if value is None else Found({"v": value}, as_of_ns=value))
        self.model = [entry for entry in self.model if entry[0] != key] + [(key, value, self.now)]
        self.model = self.model[-ROOM:]

    @rule(key=KEYS)
    def fresh(self, key: str) -> None:
        entry, expected = self.memory.fresh(key, self.now), self._remembered(key)
        if expected is None or self.now >= expected[2] + TTL:
            assert entry is None
            return
        assert entry is not None
        assert (None if entry.copy is None else entry.copy()["v"]) == expected[1] == entry.as_of_ns
        assert entry.stored == expected[2]
        assert entry.stored < entry.refresh_at < entry.expires
        self.model.remove(expected)
        self.model.append(expected)

    @rule(key=KEYS)
    def stale(self, key: str) -> None:
        found, expected = self.memory.stale(key), self._remembered(key)
        if expected is None or expected[1] is None or self.now >= expected[2] + TTL + STALE:
            assert found is None
            return
        assert found == Found({"v": expected[1]}, expected[1], "stale", self.now - expected[2])
        found.value["v"] = "spoiled"

    @rule(seconds=st.sampled_from([0.5, 4.0, TTL, STALE]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def bounded(self) -> None:
        assert len(self.memory) == len(self.model) <= ROOM


TestMemory: Any = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=60, deadline=None)


def test_it_counts_what_had_to_leave() -> None:
    memory = Memory(1.0, 1.0, 1, clock=lambda: 0.0)
    memory.keep("a", Found({}))
    memory.keep("b", Found({}))
    assert memory.evicted == 1
