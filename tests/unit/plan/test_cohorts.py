from itertools import chain, pairwise, repeat

from hypothesis import given
from hypothesis import strategies as st

from turnout_operator.plan.cohorts import MAX_SPANS, allot, cohorts_of, from_cohorts, lay_out
from turnout_operator.plan.routes import Layout, Span
from turnout_operator.plan.shares import fill

NAMES = "abcdefgh"


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, len(NAMES)))]
    parts = [draw(st.integers(0, 20)) for _ in names[1:]]
    return dict(zip(names, fill([*parts, 1 + draw(st.integers(0, 40))]), strict=True))


def owners(layout: Layout) -> list[str]:
    return list(chain.from_iterable(repeat(span.arm, span.width) for span in layout))


def widths(layout: Layout) -> dict[str, int]:
    cohorts = owners(layout)
    return {arm: cohorts.count(arm) for arm in set(cohorts)}


def test_the_first_split_has_the_stable_arm_last():
    assert lay_out({"main": 9_000, "new": 1_000, "off": 0}) == (Span("new", 1_000), Span("main", 9_000))


@given(st.lists(splits(), min_size=2, max_size=6))
def test_only_as_many_cohorts_move_as_the_weights_change_by(steps):
    layout = lay_out(steps[0])
    for before, after in pairwise(steps):
        moved = allot(after, layout)
        assert widths(moved) == {arm: weight for arm, weight in after.items() if weight}
        changed = sum(old != new for old, new in zip(owners(layout), owners(moved), strict=True))
        assert changed == sum(max(0, weight - before.get(arm, 0)) for arm, weight in after.items())
        layout = moved


@given(splits(), splits())
def test_what_needs_no_change_stays_as_it_is_and_is_told_and_read_back(one, other):
    layout = allot(other, lay_out(one))
    assert allot(other, layout) == layout
    assert from_cohorts({arm: cohorts_of(layout, arm) for arm in NAMES}) == layout


def test_a_step_back_undoes_a_step():
    layout = lay_out({"main": 8_500, "a": 1_000, "b": 500})
    grown = allot({"main": 5_500, "a": 4_000, "b": 500}, layout)
    assert grown == (Span("a", 1_000), Span("b", 500), Span("a", 3_000), Span("main", 5_500))
    assert allot({"main": 8_500, "a": 1_000, "b": 500}, grown) == layout


def test_spans_stay_few_however_often_weights_change():
    layout = lay_out({"main": 10_000, "a": 0, "b": 0, "c": 0})
    most = 0
    for step in range(2_000):
        parts = [step * 7 % 31, step * 11 % 29, step * 13 % 23]
        layout = allot(dict(zip("mabc", fill([100, *parts]), strict=True)) | {}, layout)
        most = max(most, len(layout))
    assert most <= MAX_SPANS


def test_a_status_that_is_no_whole_split_counts_for_nothing():
    for cohorts in ({"a": "0-4999"}, {"a": "0-5000", "b": "5000-9999"}, {"a": "x"}, {"a": "5-1,2-9999"}, {}):
        assert from_cohorts(cohorts) == ()
    assert allot({"a": 10_000}, ()) == (Span("a", 10_000),)
