"""The operator's and the runtime's way to find an id in a Cookie header agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout_operator.plan import cookies
from turnout_runtime.predict import cookies as pods

_PARTS = st.sampled_from(["customer", "=", ";", '"', " ", "\t", "a", "7", "é", "customer=7", "; customer=", "\udcff"])


@given(st.lists(_PARTS, max_size=12).map("".join))
def test_both_find_the_same(header: str) -> None:
    assert cookies.entity_in(header, "customer") == pods.entity_in(header, "customer")


@pytest.mark.parametrize(
    ("header", "entity"),
    [
        ("customer=7", "7"),
        ('a=b; customer="7"; c', "7"),
        ("customer=; customer=8", "8"),
        ("customer=7; customer=8", "7"),
        ('customer="7', None),
        ("customer=", None),
        ("mycustomer=7", None),
        ("", None),
    ],
)
def test_the_first_cookie_that_can_be_an_id(header: str, entity: str | None) -> None:
    assert cookies.entity_in(header, "customer") == entity
