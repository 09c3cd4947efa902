"""A run of sections: what fails is told, and keeps nothing else from being measured; a signal ends it."""

import argparse
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks.harness import places, run
from benchmarks.report import at_least


@dataclass
class Result:
    value: float | None = None


def section(measure):
    return SimpleNamespace(Result=Result, measure=measure, rows=lambda result: [at_least("x", result.value, 1)])


def good(folder, result):
    (folder / "big").mkdir(exist_ok=True)
    result.value = 2.0


def bad(_, result):
    raise ValueError("no server")


def interrupted(*_):
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """What was told at the end; signals and cores as they were before."""
    seen: dict = {}

    def finish(name, rows, details):
        seen.update(name=name, met=[row.ok for row in rows], errors=details["errors"])
        return 0

    monkeypatch.setattr(places, "_logs", tmp_path / "bench-x")
    monkeypatch.setattr(run, "begin", lambda _: None)
    monkeypatch.setattr(run, "finish", finish)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    cores = os.sched_getaffinity(0)
    yield seen
    os.sched_setaffinity(0, cores)
    for number, handler in before.items():
        signal.signal(number, handler)


def go(sections, *names: str, keep: bool = True) -> None:
    options = argparse.Namespace(sections=list(names), limit=60)
    run.run("x", sections, options, lambda _: places.logs(), keep=keep)


def test_a_section_that_fails_keeps_no_other_from_being_measured(told):
    go({"bad": section(bad), "good": section(good)})
    assert told == {"name": "x", "met": [False, True], "errors": {"bad": "ValueError: no server"}}


def test_a_signal_ends_the_run_and_what_was_reached_is_told(told):
    go({"good": section(good), "long": section(interrupted), "more": section(good)}, keep=False)
    assert told == {"name": "x", "met": [True, False, False], "errors": {"long": "SIGINT"}}
    assert list(places.logs().iterdir()) == []


def test_one_section_is_told_under_its_name(told):
    go({"bad": section(bad), "good": section(good)}, "good")
    assert told == {"name": "x-good", "met": [True], "errors": {}}
    assert [path.name for path in places.logs().iterdir()] == ["big"]
