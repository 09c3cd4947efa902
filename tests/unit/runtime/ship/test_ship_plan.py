"""What is done next with a segment."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.ship.segments import segment

from turnout_runtime.ship.plan import Delivered, Seen, Sinks, finished, forgotten, next_files, next_rows, waiting

BOTH = Sinks(batch=("lake", "disk"), stream=("console",))


def test_files_are_made_of_complete_segments_oldest_first() -> None:
    seen = [Seen(segment(number, live=number == 4), 10) for number in (4, 3, 2, 1)]
    progress = {segment(1).stem: Delivered(files=frozenset({"lake"}))}
    assert next_files(seen, progress, "lake") == [segment(2), segment(3)]
    assert next_files(seen, progress, "disk") == [segment(1), segment(2), segment(3)]


def test_small_segments_are_taken_together_and_a_large_one_alone() -> None:
    seen = [Seen(segment(number), size) for number, size in enumerate((80 * 2**20, 1, 1, 80 * 2**20, 1))]
    assert next_files(seen, {}, "lake") == [segment(0)]
    assert next_files(seen[1:], {}, "lake") == [segment(1), segment(2)]
    assert len(next_files([Seen(segment(number), 1) for number in range(99)], {}, "lake")) == 32


def test_a_segment_that_cannot_be_files_holds_up_no_file_sink_but_still_goes_to_streams() -> None:
    seen = [Seen(segment(1), 10)]
    progress = {segment(1).stem: Delivered(rejected="corrupt", unfit=True)}
    assert next_files(seen, progress, "lake") == []
    assert next_rows(seen, progress, "console") == [(seen[0], 0)]
    assert finished(seen, progress, BOTH) == []
    assert finished(seen, {segment(1).stem: progress[segment(1).stem].with_rows("console", 10)}, BOTH) == [segment(1)]


def test_an_open_segment_is_never_finished_and_counts_as_waiting() -> None:
    seen = [Seen(segment(1, live=True), 10)]
    progress = {segment(1).stem: Delivered(frozenset({"lake", "disk"}), {"console": 10})}
    assert finished(seen, progress, BOTH) == []
    assert waiting(seen, {}, BOTH, "lake") == [(segment(1, live=True), 0, 10)]
    assert waiting(seen, {segment(1).stem: Delivered(offsets={"console": 4})}, BOTH, "console")[0][1:] == (4, 6)


def test_progress_of_what_has_gone_is_forgotten() -> None:
    assert forgotten([Seen(segment(1), 1)], {segment(1).stem: Delivered(), segment(2).stem: Delivered()}) == {
        segment(2).stem
    }


@settings(max_examples=30)
@given(st.lists(st.integers(1, 50), max_size=8), st.integers(0, 2**32))
def test_in_any_order_of_work_nothing_goes_before_every_sink_has_it_and_all_goes_at_last(
    sizes: list[int], seed: int
) -> None:
    chance = Random(seed)
    there = {segment(number).stem: Seen(segment(number), size) for number, size in enumerate(sizes)}
    progress: dict[str, Delivered] = {}
    has: dict[str, set[str]] = {name: set() for name in ("lake", "disk", "console")}
    while there:
        name = chance.choice(sorted(has))
        if name == "console":
            for seen, start in next_rows(there.values(), progress, name)[:1]:
                stem, end = seen.segment.stem, min(seen.size, start + 20)
                progress[stem] = progress.get(stem, Delivered()).with_rows(name, end)
                if end == seen.size:
                    has[name].add(stem)
        else:
            for found in next_files(there.values(), progress, name)[:1]:
                assert found.stem not in has[name]
                has[name].add(found.stem)
                progress[found.stem] = progress.get(found.stem, Delivered()).with_files(name)
        for done in finished(there.values(), progress, BOTH):
            assert all(done.stem in delivered for delivered in has.values())
            del there[done.stem]
    assert all(len(delivered) == len(sizes) for delivered in has.values())
