"""What retention deletes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout_runtime.cli import main
from turnout_runtime.ship.naming import folder, place_of, prefixes, scope
from turnout_runtime.ship.retention import Keep, expired, prune
from turnout_runtime.ship.roots import DirectoryRoot, Stored

NOW = datetime(2026, 11, 22, 13, 30, tzinfo=UTC)


def name(hours_ago: int, which: str = "pod-1", objective: str = "delay") -> str:
    hour = f"{NOW - timedelta(hours=hours_ago):%Y-%m-%dT%H}"
    return f"{folder('predictions', 'flights', objective, hour)}/{which}.parquet"


names = st.builds(name, st.integers(0, 200), st.sampled_from(["a", "b", "merged-1"]))
files = st.lists(
    st.builds(
        Stored, st.builds(name, st.integers(0, 200), st.sampled_from(["a", "b", "merged-1"])), st.integers(1, 99)
    ),
    unique_by=lambda file: file.name,
    max_size=40,
)


@settings(max_examples=40)
@given(files, st.none() | st.integers(3600, 600_000), st.none() | st.integers(1, 2000))
def test_what_is_left_is_young_and_small_enough_and_no_more_has_gone_than_must(
    there: list[Stored], age: int | None, size: int | None
) -> None:
    gone = expired(there, Keep(age, size), NOW)
    left = [file for file in there if file not in gone]
    hours = {file.name: place.hour for file in there if (place := place_of(file.name)) and place.hour}
    if age is not None:
        assert all(hours[f.name] + timedelta(hours=1) > NOW - timedelta(seconds=age) for f in left)
    if size is not None:
        assert sum(file.size for file in left) <= size
    if gone:
        last = gone[-1]
        old = age is not None and hours[last.name] + timedelta(hours=1) <= NOW - timedelta(seconds=age)
        assert old or (size is not None and sum(file.size for file in left) + last.size > size)
        assert all(hours[last.name] <= hours[file.name] for file in left)


@settings(max_examples=40)
@given(files, st.integers(1, 2000), st.integers(0, 40))
def test_two_pods_at_once_delete_what_one_would(there: list[Stored], size: int, seen: int) -> None:
    first = expired(there, Keep(None, size), NOW)
    second = expired([file for file in there if file not in first[:seen]], Keep(None, size), NOW)
    assert set(second) <= set(first)


def test_a_merged_file_outlives_those_that_it_stands_for() -> None:
    there = [Stored(name(5, which), 1) for which in ("merged-x", "z", "a")]
    assert expired(there, Keep(None, 1), NOW) == [there[2], there[1]]


async def test_only_the_scope_is_pruned_and_empty_folders_go(tmp_path: Path) -> None:
    for mine in (name(0), name(50), name(50, objective="other")):
        (tmp_path / mine).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / mine).write_bytes(b"1234")
    stray = tmp_path / "predictions" / "README"
    stray.write_text("not ours")
    below = prefixes([scope("flights", "delay")])
    gone = await prune(DirectoryRoot(tmp_path), below, Keep(24 * 3600, None), NOW)
    assert [file.name for file in gone] == [name(50)]
    assert not (tmp_path / name(50)).parent.exists()
    assert (tmp_path / name(50, objective="other")).exists()
    assert (tmp_path / name(0)).exists()
    assert stray.exists()
    assert await prune(DirectoryRoot(tmp_path / "nothing"), below, Keep(0, None), NOW) == []


def test_the_command_says_what_it_would_do_and_does_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (name(10), name(500)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"12345")
    assert main(["log", "prune", str(tmp_path)]) == 1
    assert main(["log", "prune", str(tmp_path), "--max-size", "1Ki", "--dry-run"]) == 0
    assert main(["log", "prune", str(tmp_path), "--max-size", "5"]) == 0
    assert "deleted 1 files, 5 bytes" in capsys.readouterr().out
    assert not (tmp_path / name(500)).exists()
    assert main(["log", "prune", str(tmp_path / "nothing"), "--older-than", "1h"]) == 1
