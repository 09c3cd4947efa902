"""Who converts what, how often, and what happens when it fails: with conversions of the test's own."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from tests.unit.runtime.ship.segments import segment

from turnout_runtime.log.segments import Segment
from turnout_runtime.ship import conversions
from turnout_runtime.ship.conversions import Conversions
from turnout_runtime.ship.converted import Converted, Died, Failed, result
from turnout_runtime.ship.sink import SinkFailed

Outcome = Converted | Failed | Died
WELL = Converted()


class Fake:
    """Says of each segment what it is told to; `asked` are the processes that were started."""

    def __init__(self, outcome: Callable[[int], Outcome]) -> None:
        self.asked: list[list[int]] = []
        self._outcome = outcome

    async def __call__(
        self, directory: Path, segments: Sequence[Segment], spool: Path, pod: str
    ) -> AsyncIterator[tuple[str, Outcome]]:
        self.asked.append([segment.number for segment in segments])
        for one in segments:
            (spool / one.stem).mkdir(exist_ok=True)
            outcome = self._outcome(one.number)
            yield one.stem, outcome
            if isinstance(outcome, Died):
                return


def made_by(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Conversions:
    monkeypatch.setattr(conversions, "results", fake)
    return Conversions(tmp_path, tmp_path, "pod-1")


def segments(*numbers: int) -> list[Segment]:
    return [segment(number) for number in numbers]


async def test_sinks_that_are_in_step_share_one_conversion_and_small_ones_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = made_by(fake := Fake(lambda _: WELL), tmp_path, monkeypatch)
    for first in (1, 2, 3):
        for _ in ("one", "another"):
            async with made.of(segments(*range(first, 4))) as converted:
                assert converted == WELL
    assert fake.asked == [[1, 2, 3]]
    assert len(os.listdir(tmp_path)) == 2
    await made.close()


async def test_a_failure_is_tried_again_and_a_segment_that_ends_the_process_is_rejected_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = [Failed.because("No space left on device"), Died("signal 9"), Died("signal 9"), Died("signal 9")]
    made = made_by(fake := Fake(lambda number: outcomes.pop(0) if number == 1 else WELL), tmp_path, monkeypatch)
    for reason in ("full", "failed", "failed"):
        with pytest.raises(SinkFailed) as caught:
            async with made.of(segments(1, 2)):
                pass
        assert caught.value.reason == reason
    async with made.of(segments(1, 2)) as converted:
        assert converted.rejected == "signal 9, 3 times"
    async with made.of(segments(2)) as converted:
        assert converted == WELL
    assert [asked[0] for asked in fake.asked] == [1, 1, 1, 1]
    await made.close()


def test_what_a_process_says_of_a_segment(tmp_path: Path) -> None:
    file = {"path": "a.parquet", "name": "predictions/a", "rows": 3, "bytes": 10}
    whole = result({"files": [file], "unreadable": 0, "damaged": 7}, tmp_path)
    assert isinstance(whole, Converted)
    assert whole.files[0].path == tmp_path / "a.parquet"
    assert (whole.damaged, whole.rejected) == (7, None)
    part = result({"files": [file], "unreadable": 2, "damaged": 0}, tmp_path)
    assert isinstance(part, Converted)
    assert part.rejected == "2 of its rows cannot be read"
    assert result({"rejected": "rot"}, tmp_path) == Converted(rejected="rot")
    assert isinstance(result({"failed": "EIO"}, tmp_path), Failed)
