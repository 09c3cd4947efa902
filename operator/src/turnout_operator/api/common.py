"""Durations and quantities: the strings of the API and their values."""

import re
from decimal import Decimal
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from turnout_operator.api.schema import Rule, add_rules, matches

_DURATION = r"([0-9]{1,6})(ms|s|m|h)"
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?")
_SUFFIX = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}

DURATION_RULE = matches(
    _DURATION, "a duration is a whole number of up to 6 digits and a unit (ms, s, m or h), for example 50ms"
)


def parse_duration(text: str) -> float:
    """Seconds in a duration such as `50ms`, `1s`, `5m` or `2h`. Raises ValueError otherwise."""
    match = re.fullmatch(_DURATION, text)
    if match is None:
        raise ValueError(DURATION_RULE.message)
    return float(Decimal(match[1]) * _SECONDS[match[2]])


def parse_quantity(text: str | int) -> Decimal:
    """The value of a Kubernetes quantity such as `100m`, `2`, `1.5Gi` or `1e3`. Raises ValueError otherwise."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(QUANTITY_MESSAGE)
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    if suffix in _SUFFIX:
        return number.scaleb(_SUFFIX[suffix])
    return number.scaleb(int(suffix[1:])) if suffix else number


class RuledText(str):
    """A text as written, which `RULE` allows."""

    __slots__ = ()
    RULE: ClassVar[Rule]
    MAX_LENGTH: ClassVar[int]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True, max_length=cls.MAX_LENGTH)
        return core_schema.no_info_after_validator_function(lambda value: cls(cls.RULE.enforce(value)), text)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return add_rules(handler(schema), cls.RULE)


class Duration(RuledText):
    """A duration as written, for example `50ms`; `.seconds` is its value."""

    __slots__ = ()
    RULE = DURATION_RULE
    MAX_LENGTH = 9

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return parse_duration(self)


def _is_quantity(text: str) -> bool:
    return _QUANTITY.fullmatch(text) is not None and parse_quantity(text) >= 0


QUANTITY_MESSAGE = (
    "a quantity is a number that is not negative with an optional unit, for example 100m, 2, 256Mi or 1.5Gi"
)
QUANTITY_RULE = Rule(
    "isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('0')) >= 0", QUANTITY_MESSAGE, _is_quantity
)


class Quantity(str):
    """A Kubernetes quantity as written, for example `256Mi`; a bare integer is accepted and kept as its digits."""

    __slots__ = ()

    @property
    def value(self) -> Decimal:
        """Its value in the base unit: cores for cpu, bytes for memory."""
        return parse_quantity(self)

    @property
    def bytes(self) -> int:
        """Its value in whole bytes, rounded down."""
        return int(self.value)

    @classmethod
    def _validate(cls, value: Any) -> Self:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(QUANTITY_MESSAGE)
        return cls(QUANTITY_RULE.enforce(str(value)))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        either = [{"type": "integer"}, {"type": "string"}]
        return add_rules({"x-kubernetes-int-or-string": True, "anyOf": either, "maxLength": 32}, QUANTITY_RULE)


AGE_RULE = matches(r"[1-9][0-9]{0,3}(h|d)", "an age is a whole number of hours or days, for example 36h or 30d")


class Age(RuledText):
    """An age as written, for example `36h` or `30d`; `.seconds` is its value."""

    __slots__ = ()
    RULE = AGE_RULE
    MAX_LENGTH = 5

    @property
    def seconds(self) -> int:
        """Its length in seconds."""
        return int(self[:-1]) * (86_400 if self.endswith("d") else 3_600)


PERCENTAGE_RULE = matches(
    r"100(\.0{1,2})?%|[1-9][0-9]?(\.[0-9]{1,2})?%|0\.([1-9][0-9]?|0[1-9])%",
    "a percentage goes from 0.01% to 100% with at most 2 decimals, for example 12.5%",
)


class Percentage(RuledText):
    """A percentage as written, for example `12.5%`; `.ratio` is its value."""

    __slots__ = ()
    RULE = PERCENTAGE_RULE
    MAX_LENGTH = 7

    @property
    def ratio(self) -> float:
        """Its value from 0.0001 to 1."""
        return float(Decimal(self[:-1]) / 100)


def at_least(limit: str) -> Rule:
    """A duration of at least `limit`."""
    bound = parse_duration(limit)
    return Rule(
        f"!{DURATION_RULE.cel} || duration(self) >= duration('{limit}')",
        f"must be at least {limit}",
        lambda value: parse_duration(value) >= bound,
    )


def at_most(limit: str) -> Rule:
    """A duration of more than 0 and at most `limit`."""
    bound = parse_duration(limit)
    valid = DURATION_RULE.cel
    return Rule(
        f"!{valid} || (duration(self) > duration('0s') && duration(self) <= duration('{limit}'))",
        f"must be more than 0 and at most {limit}",
        lambda value: 0 < parse_duration(value) <= bound,
    )


def up_to(limit: str) -> Rule:
    """A duration of at most `limit`; 0 is one."""
    bound = parse_duration(limit)
    return Rule(
        f"!{DURATION_RULE.cel} || duration(self) <= duration('{limit}')",
        f"must be at most {limit}",
        lambda value: parse_duration(value) <= bound,
    )


def between(low: str, high: str) -> Rule:
    """A whole number of bytes from `low` to `high`, both quantities."""
    least, most = parse_quantity(low), parse_quantity(high)
    value = "quantity(string(self))"
    inside = f"{value}.compareTo(quantity('{low}')) >= 0 && {value}.compareTo(quantity('{high}')) <= 0"
    return Rule(
        f"!isQuantity(string(self)) || ({value}.isInteger() && {inside})",
        f"must be a whole number of bytes from {low} to {high}",
        lambda text: least <= parse_quantity(text) <= most and parse_quantity(text) % 1 == 0,
    )
