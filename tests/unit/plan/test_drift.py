from hypothesis import given
from hypothesis import strategies as st

from turnout_operator.plan.drift import contains

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_everything_contains_itself(value):
    assert contains(value, value)


@given(st.dictionaries(st.text(min_size=1, max_size=3), JSON, max_size=4), st.text(min_size=4, max_size=6), JSON)
def test_fields_of_others_do_not_matter_but_missing_ones_do(desired, extra, value):
    assert contains({**desired, extra: value}, desired)
    assert not contains(desired, {**desired, extra: value})


def test_a_changed_leaf_and_a_longer_list_are_seen():
    live = {"spec": {"containers": [{"image": "a", "added": 1}]}}
    assert contains(live, {"spec": {"containers": [{"image": "a"}]}})
    assert not contains(live, {"spec": {"containers": [{"image": "b"}]}})
    assert not contains(live, {"spec": {"containers": [{"image": "a"}, {"image": "c"}]}})


def test_quantities_are_compared_by_value_below_resources_only():
    live = {"resources": {"requests": {"memory": "1Gi", "cpu": "500m"}}, "env": "1Gi"}
    assert contains(live, {"resources": {"requests": {"memory": "1024Mi", "cpu": "0.5"}}})
    assert not contains(live, {"resources": {"requests": {"memory": "1G"}}})
    assert not contains(live, {"env": "1024Mi"})
