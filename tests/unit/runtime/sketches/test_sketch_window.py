"""Panes of time: what a window holds is what came within it, however it came."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from turnout_runtime.sketches.bins import Bins
from turnout_runtime.sketches.category import CategorySketch
from turnout_runtime.sketches.document import document
from turnout_runtime.sketches.grid import GridSketch
from turnout_runtime.sketches.number import NumberSketch
from turnout_runtime.sketches.window import Window

START = 1_700_000_000 - 1_700_000_000 % 60
EMPTY = {"x": NumberSketch(Bins((1.0, 2.0), (1.0,))), "y": GridSketch(), "decision": CategorySketch()}


def see(window: Window, now: float, *values: float) -> None:
    window.move(now)
    for name in ("x", "y"):
        numbers: Any = window.current[name]
        numbers.observe(np.array(values, np.float64))


def total(window: Window, now: float, seconds: float = 3600) -> int:
    view = window.view(now, seconds)
    assert len({sketch.size for name, sketch in view.sketches.items() if name != "decision"}) == 1
    return int(document(view.sketches)["rows"])


def test_panes_are_forgotten_one_by_one() -> None:
    window = Window(EMPTY, START)
    see(window, START + 1, 0.5, 1.5)
    see(window, START + 61, 2.5)
    see(window, START + 3599, 0.5)
    assert total(window, START + 3599.9) == 4
    assert total(window, START + 3600) == 2
    assert total(window, START + 3660) == 1
    assert total(window, START + 3659 + 3600) == 0
    assert total(window, START + 90_000) == 0


def test_a_shorter_window_has_the_newest_panes() -> None:
    window = Window(EMPTY, START)
    for minute in range(30):
        see(window, START + 60 * minute, 1.5)
    now = START + 29 * 60 + 59
    assert total(window, now) == 30
    assert total(window, now, 60) == 2  # a pane counts when a part of it lies within
    assert total(window, now, 600) == 11
    assert window.view(now, 600).since == START + 19 * 60
    assert window.view(now).since == START


def test_a_clock_that_goes_back_is_no_reason_to_forget() -> None:
    window = Window(EMPTY, START)
    see(window, START + 600, 1.5)
    see(window, START + 300, 1.5)
    assert total(window, START + 600) == 2


@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 3)), max_size=60), st.integers(0, 3600))
def test_a_window_is_the_sum_of_its_panes(steps: list[tuple[int, int]], seconds: int) -> None:
    window, now, told = Window(EMPTY, START), float(START), list[tuple[int, int]]()
    for wait, count in steps:
        now += wait
        see(window, now, *[1.5] * count)
        told.append((int(now // 60), count))
        assert total(window, now) == sum(n for pane, n in told if pane > now // 60 - 60)
    first = (now - seconds) // 60 + (seconds >= 3600)
    assert total(window, now, seconds) == sum(n for pane, n in told if pane >= max(first, now // 60 - 59))
