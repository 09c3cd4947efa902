"""Values: decoded, dated, copied."""

import struct
from contextlib import suppress
from copy import deepcopy
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout_runtime.facts import Found
from turnout_runtime.facts.source import BadValue
from turnout_runtime.facts.values import MAX_BYTES, Decoder, copier, observed_ns

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("encoding", "raw", "complaint"),
    [
        ("json", b"", "not JSON"),
        ("json", b"{", "not JSON"),
        ("json", b"\xff", "not JSON"),
        ("json", b"[1]", "no JSON object"),
        ("json", b"null", "no JSON object"),
        ("json", b'{"x":"' + b"y" * MAX_BYTES + b'"}', "larger than 1048576 bytes"),
        ("float32", b"", "0 bytes are no vector"),
        ("float32", b"abc", "3 bytes are no vector"),
    ],
)
def test_garbage_is_named(encoding: Any, raw: bytes, complaint: str) -> None:
    with pytest.raises(BadValue, match=complaint):
        Decoder(encoding)(raw)


@given(st.binary(max_size=64))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    for decode in (Decoder("json"), Decoder("float32")):
        with suppress(BadValue):
            assert isinstance(decode(raw).value, dict)


def test_a_vector_is_a_list_of_exact_numbers() -> None:
    assert Decoder("float32")(struct.pack("<3f", 1.5, -0.1, 3e38)) == Found(
        {"vector": [1.5, float(np.float32(-0.1)), float(np.float32(3e38))]}
    )


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2013-07-01T12:00:00Z", 1372680000 * 10**9),
        ("2013-07-01T14:00:00.250+02:00", 1372680000 * 10**9 + 250_000_000),
        ("2013-07-01T12:00:00", 1372680000 * 10**9),
        (1372680000, 1372680000 * 10**9),
        (1372680000.5, 1372680000 * 10**9 + 500_000_000),
        *[(odd, None) for odd in (None, True, "soon", [], float("inf"), float("nan"), 10**400)],
    ],
)
def test_when_a_value_was_observed(when: object, expected: int | None) -> None:
    assert observed_ns(when) == expected


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)))
def test_times_survive_to_the_microsecond(when: datetime) -> None:
    seconds = (when - datetime(1970, 1, 1)).total_seconds()
    assert abs((observed_ns(f"{when.isoformat()}Z") or 0) - seconds * 1e9) < 2000


def test_the_declared_field_dates_a_value() -> None:
    assert Decoder("json", "at")(b'{"at": 7, "x": 1}') == Found({"at": 7, "x": 1}, 7 * 10**9)
    assert Decoder("json", "at")(b'{"x": 1}').as_of_ns is None


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_copies_are_equal_and_their_own(value: dict[str, Any]) -> None:
    pristine = deepcopy(value)
    copy = copier(value)
    first, second = copy(), copy()
    assert first == second == value
    _spoil(first)
    _spoil(value)
    assert second == copy() == pristine


def test_what_no_json_can_hold_is_copied_too() -> None:
    value = {"array": np.arange(3.0), "number": np.float64(2.0), "nested": [{"when": datetime(2013, 1, 1)}]}
    copy = copier(value)()
    assert isinstance(copy["array"], np.ndarray)
    assert isinstance(copy["number"], np.float64)
    assert copy["array"] is not value["array"]
    assert copy["nested"] == value["nested"]


def _spoil(value: Any) -> None:
    for part in list(value.values()) if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            _spoil(part)
    value.clear()
