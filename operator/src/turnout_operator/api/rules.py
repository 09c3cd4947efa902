"""Segments of the traffic: conditions on requests, and the arms that such requests go to."""

import re
from operator import attrgetter
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, Field

from turnout_operator.api.arms import WEIGHTLESS_RULE, WEIGHTS_RULE, Weighted
from turnout_operator.api.meta import LABEL, LABEL_MESSAGE, SpecModel, one_of
from turnout_operator.api.paths import BODY_FIELD_RULE, HEADER_RULE, OWN_HEADER_RULE
from turnout_operator.api.schema import ListMap, Rule, matches

_TESTS = ("values", "prefix", "suffix", "contains", "range", "present")
_PRINTABLE = matches(r"[!-~]([ -~]{0,126}[!-~])?", "must be printable ASCII without blanks at its ends")
_Value = Annotated[str, Field(min_length=1, max_length=128), _PRINTABLE]

EXPRESSION_RULE = one_of(
    {name: attrgetter(name) for name in _TESTS},
    "give exactly one of values, prefix, suffix, contains, range and present",
)
RANGE_RULE = Rule(
    "!has(self.min) || !has(self.max) || self.min <= self.max",
    "min must not be more than max",
    lambda self: self.min is None or self.max is None or self.min <= self.max,
)
RANGE_GIVEN_RULE = Rule(
    "has(self.min) || has(self.max)",
    "give min, max or both",
    lambda self: self.min is not None or self.max is not None,
)
PRESENT_RULE = Rule("self", "present is true or left out: turn it round with invert: true", lambda value: bool(value))
COHORTS_RULE = Rule("self.first <= self.last", "first must not be more than last", lambda self: self.first <= self.last)
WINDOW_RULE = Rule(
    "has(self.start) || has(self.end)",
    "give start, end or both",
    lambda self: self.start is not None or self.end is not None,
)
WINDOW_ORDER_RULE = Rule(
    "!has(self.start) || !has(self.end) || self.start < self.end",
    "start must be before end",
    lambda self: self.start is None or self.end is None or self.start < self.end,
)
MATCH_RULE = Rule(
    "[has(self.headers) && self.headers.size() > 0, has(self.query) && self.query.size() > 0,"
    " has(self.body) && self.body.size() > 0, has(self.cohorts), has(self.window)].exists(given, given)",
    "give at least one of headers, query, body, cohorts and window: without any the rule would take all traffic",
    lambda self: bool(self.conditional or self.cohorts or self.window),
)
QUERY_RULE = Rule(
    "!has(self.invert) || !self.invert",
    "a query parameter can't be inverted: put a rule for those that have it before this one",
    lambda self: not self.invert,
    field_path=".invert",
)
QUERY_RANGE_RULE = Rule(
    "!has(self.range)",
    "a query parameter is compared as text: use values, prefix, suffix, contains or present",
    lambda self: self.range is None,
    field_path=".range",
)
_PLAIN = "[A-Za-z0-9._~-]+"
_ONE_TEXT = ("prefix", "suffix", "contains")


def _plain(match: Any) -> bool:
    texts = [*(match.values or ()), *(text for text in map(match.__getattribute__, _ONE_TEXT) if text is not None)]
    return all(re.fullmatch(_PLAIN, text) for text in texts)


QUERY_NAME_RULE = matches(_PLAIN, "the name of a query parameter may have A-Z, a-z, 0-9, ., _, ~ and -")
QUERY_TEXT_RULE = Rule(
    f"(!has(self.values) || self.values.all(text, text.matches('^({_PLAIN})$'))) && "
    + " && ".join(f"(!has(self.{name}) || self.{name}.matches('^({_PLAIN})$'))" for name in _ONE_TEXT),
    "a query parameter is compared as it is written in the URL: use A-Z, a-z, 0-9, ., _, ~ and - only",
    _plain,
)


class IntRange(SpecModel):
    """Whole numbers, both ends included."""

    RULES: ClassVar = (RANGE_GIVEN_RULE, RANGE_RULE)

    min: Annotated[int, Field(ge=-(2**53), le=2**53)] | None = None
    """The least."""
    max: Annotated[int, Field(ge=-(2**53), le=2**53)] | None = None
    """The most."""


class Expression(SpecModel):
    """What a value is compared with; exactly one way."""

    RULES: ClassVar[tuple[Rule, ...]] = (EXPRESSION_RULE,)

    values: Annotated[list[_Value], Field(min_length=1, max_length=32)] | None = None
    """Texts, 1 to 32; the value is one of them."""
    prefix: _Value | None = None
    """The value begins with this text."""
    suffix: _Value | None = None
    """The value ends with this text."""
    contains: _Value | None = None
    """This text is in the value."""
    range: IntRange | None = None
    """The value is a number in this range; in headers a whole one."""
    present: Annotated[bool, PRESENT_RULE] | None = None
    """There is a value, whatever it is; `true`."""
    invert: bool = False
    """Turns the comparison round: what has no value, too, is then not equal. Default: False."""


class HeaderMatch(Expression):
    """A comparison of a request header."""

    name: Annotated[str, Field(max_length=128), HEADER_RULE, OWN_HEADER_RULE]
    """Name of the header, in lower case."""


class QueryMatch(Expression):
    """A comparison of a query parameter."""

    RULES: ClassVar = (EXPRESSION_RULE, QUERY_RULE, QUERY_RANGE_RULE, QUERY_TEXT_RULE)

    name: Annotated[str, Field(max_length=128), QUERY_NAME_RULE]
    """Name of the parameter."""


class BodyMatch(Expression):
    """A comparison of a field of the JSON body, which the gateway then reads. `true` is the text 1 and `false` 0."""

    field: Annotated[str, Field(max_length=256), BODY_FIELD_RULE]
    """Dotted path of up to 4 names, for example context.tier."""


class Cohorts(SpecModel):
    """Neighbouring cohorts: an entity's cohort is its hash bucket."""

    RULES: ClassVar = (COHORTS_RULE,)

    first: Annotated[int, Field(ge=0, le=9999)]
    """The first cohort, 0 to 9999."""
    last: Annotated[int, Field(ge=0, le=9999)]
    """The last cohort, 0 to 9999."""


class Window(SpecModel):
    """A time in which a rule holds."""

    RULES: ClassVar = (WINDOW_RULE, WINDOW_ORDER_RULE)

    start: Annotated[AwareDatetime, Field(strict=False)] | None = None
    """When it begins, for example 2026-12-24T00:00:00Z. Default: it has begun."""
    end: Annotated[AwareDatetime, Field(strict=False)] | None = None
    """When it ends, for example 2026-12-27T00:00:00Z. Default: never."""


class Match(SpecModel):
    """Which requests a rule is for: those that fulfil all that is given."""

    RULES: ClassVar = (MATCH_RULE,)

    headers: Annotated[list[HeaderMatch], Field(max_length=8)] = Field(default_factory=list)
    """Comparisons of headers, up to 8; all must hold."""
    query: Annotated[list[QueryMatch], Field(max_length=8)] = Field(default_factory=list)
    """Comparisons of query parameters, up to 8; all must hold."""
    body: Annotated[list[BodyMatch], Field(max_length=8)] = Field(default_factory=list)
    """Comparisons of fields of the JSON body, up to 8; all must hold. A body that can't be read has no fields."""
    cohorts: Cohorts | None = None
    """Cohorts; needs stickyBy."""
    window: Window | None = None
    """When the rule holds."""

    @property
    def conditional(self) -> bool:
        """Whether it asks for anything in the request itself."""
        return bool(self.headers or self.query or self.body)


class RuleArm(Weighted):
    """An arm of the policy, and its share of a rule's traffic."""

    name: Annotated[str, Field(max_length=63)]
    """Name of an arm in spec.arms."""


class RoutingRule(SpecModel):
    """A segment of the traffic and the arms that it goes to."""

    name: Annotated[str, Field(max_length=63), matches(LABEL, f"the name of a rule {LABEL_MESSAGE}")]
    """Name of the rule, unique in the policy; answers carry it as x-turnout-rule."""
    match: Match
    """Which requests it is for."""
    arms: Annotated[list[RuleArm], Field(min_length=1, max_length=16), ListMap("name"), WEIGHTLESS_RULE, WEIGHTS_RULE]
    """Where they go, 1 to 16 of the policy's arms."""


def known_arms(spec: Any) -> bool:
    """Whether the rules name arms of the policy only."""
    names = {arm.name for arm in spec.arms}
    return all(arm.name in names for rule in spec.rules for arm in rule.arms)


RULE_ARMS_RULE = Rule(
    "!has(self.rules) || self.rules.all(rule, rule.arms.all(arm, self.arms.exists(own, own.name == arm.name)))",
    "a rule names an arm that spec.arms doesn't have: correct rules[].arms[].name, or add the arm with weight 0",
    known_arms,
    field_path=".rules",
)
_CONDITIONS = " || ".join(
    f"(has(rule.match.{name}) && rule.match.{name}.size() > 0)" for name in ("headers", "query", "body")
)
COHORT_NUMBER_RULE = Rule(
    f"!has(self.rules) || self.rules.filter(rule, has(rule.match.cohorts) && ({_CONDITIONS})).size() <= 2",
    "more than 2 rules have match.cohorts beside other conditions: each doubles the gateway's routes; merge some",
    lambda spec: sum(rule.match.cohorts is not None and rule.match.conditional for rule in spec.rules) <= 2,
    field_path=".rules",
)
COHORT_KEY_RULE = Rule(
    "has(self.stickyBy) || !has(self.rules) || !self.rules.exists(rule, has(rule.match.cohorts))",
    "match.cohorts needs stickyBy: without an entity there is no cohort",
    lambda spec: spec.sticky_by is not None or not any(rule.match.cohorts for rule in spec.rules),
    field_path=".rules",
)
