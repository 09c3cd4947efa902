from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime.log.lines import line

from turnout_runtime.log.batches import Batches


def _emptied(batches: Batches) -> list[bytes]:
    found = []
    while (batch := batches.take()) is not None:
        found += bytes(batch.payload).splitlines(keepends=True)
        assert len(found) >= batch.rows > 0
        batches.done(batch)
    return found


@given(st.lists(st.one_of(st.none(), st.integers(30, 400)), max_size=60))
def test_what_comes_out_is_what_went_in(steps: list[int | None]) -> None:
    batches, came, went = Batches(250, 10**6, lambda: None), list[bytes](), list[bytes]()
    for number, size in enumerate(steps):
        if size is None:
            went += _emptied(batches)
        else:
            assert batches.put([line(number, size)]) == 0
            came.append(line(number, size))
        assert batches.held == sum(map(len, came)) - sum(map(len, went))
    assert went + _emptied(batches) == came


def test_its_memory_is_bounded_used_again_and_says_when_half_is_gone() -> None:
    alarms: list[int] = []
    batches = Batches(200, 1000, lambda: alarms.append(1))
    assert batches.put(line(number) for number in range(4)) == 0
    assert not alarms
    assert batches.put(line(number) for number in range(4, 12)) == 2
    assert alarms
    first = batches.take()
    assert first is not None
    memory = first.memory
    assert batches.held == 1000  # it is held until it is written
    batches.done(first)
    assert (batches.held, batches.put([line(1)])) == (800, 0)
    last = [batches.take() for _ in range(5)][-1]
    assert last is not None
    assert last.memory is memory


def test_batches_that_are_half_empty_count_with_all_their_memory() -> None:
    batches, taken = Batches(100, 1000, lambda: None), 0
    while not batches.put([line(0, 60), line(1, 150)]):
        taken += 1
    assert taken == 4
    assert batches.held == 4 * 210
    _emptied(batches)
    assert batches.put([line(0, 60)] * 10) == 0
