"""Durations and quantities mean what Kubernetes and Go mean by them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from turnout_operator.api.common import Duration, Quantity, parse_duration, parse_quantity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("50ms", 0.05), ("1s", 1.0), ("5m", 300.0), ("2h", 7200.0), ("0s", 0.0), ("999999ms", 999.999)],
)
def test_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert TypeAdapter(Duration).validate_python(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "1", "1.5s", "-1s", "1d", "1s ", "1s\n", "1S", "1000000ms", "1m30s"])
def test_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        parse_duration(text)
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@given(st.integers(0, 999_999))
def test_units_of_duration_agree(count: int) -> None:
    assert parse_duration(f"{count}s") == count
    assert parse_duration(f"{count}m") == 60 * count
    assert parse_duration(f"{count}h") == 3600 * count


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (2, "2"),
        ("100m", "0.1"),
        ("1.5Gi", "1610612736"),
        ("64Mi", "67108864"),
        ("1e3", "1000"),
        ("2E", "2000000000000000000"),
        ("1E2", "100"),
        ("12E-1", "1.2"),
        (".5", "0.5"),
        ("5.", "5"),
        ("250u", "0.00025"),
        ("1n", "0.000000001"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("+3", "3"),
    ],
)
def test_quantity(text: str | int, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)
    assert TypeAdapter(Quantity).validate_python(text).value == Decimal(value)


@pytest.mark.parametrize("text", ["", "lots", "1ki", "1K", "1 Gi", "1e", "Mi", "1.2.3", "0x10", "1\n"])
def test_not_a_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="a quantity is a number"):
        parse_quantity(text)


@pytest.mark.parametrize("value", [True, 1.5, None, [], "-1"])
def test_field_refuses(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(value)


@given(st.integers(0, 10**15), st.sampled_from([("Ki", 1024), ("Mi", 1024**2), ("k", 1000), ("M", 10**6), ("", 1)]))
def test_bytes_are_exact(count: int, unit: tuple[str, int]) -> None:
    assert Quantity(f"{count}{unit[0]}").bytes == count * unit[1]


def test_quantity_is_written_as_text() -> None:
    adapter = TypeAdapter(Quantity)
    assert adapter.dump_python(adapter.validate_python(2), mode="json") == "2"
    assert adapter.dump_json(adapter.validate_python("1Gi")) == b'"1Gi"'
