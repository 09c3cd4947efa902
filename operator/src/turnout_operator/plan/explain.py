"""Which arm answers a request, and why: the gateway's decision, told without a gateway."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xxhash

from turnout_operator.plan.branches import Share, branches
from turnout_operator.plan.cookies import entity_in
from turnout_operator.plan.fallback import rungs
from turnout_operator.plan.routes import TOTAL_WEIGHT, ArmRoute, Condition, PolicyRoute, Shadow, Static, Sticky
from turnout_operator.plan.shadows import copied_to

_VALID_ID = re.compile(r"[!-~]([ -~]*[!-~])?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_HEXADECIMAL = re.compile(r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)([pP][+-]?[0-9]+)?")
_INT64 = 2**63
_LARGEST = 1.7e308


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sends. Header names are in lower case, query parameters as they are written in the URL; `body` is
    the parsed JSON, None where there is none."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answers. Several shares only where no entity decides: each then has its chance. None at all: `refused` says
    why.

    `ladders` are the arms that are asked in turn when the arm of the share at the same place can't answer, and `static`
    is the answer when none can. `copies` are the shadows of requests to that arm, unless their bodies are too large.
    """

    entity: str | None
    cohort: int | None
    shares: tuple[Share, ...]
    refused: str | None = None
    ladders: tuple[tuple[ArmRoute, ...], ...] = ()
    static: Static | None = None
    copies: tuple[tuple[Shadow, ...], ...] = ()


def answer(route: PolicyRoute, request: Request) -> Answer:
    """What the gateway does with a prediction's request. Assumes that all gateways have confirmed the route."""
    request = received(request)
    entity = _entity(route.sticky, request)
    if entity is not None and not _VALID_ID.fullmatch(entity):
        return Answer(entity, None, (), "the entity id must be printable ASCII without blanks at its ends")
    branch = next((each for each in branches(route) if all(fits(c, request) for c in each.conditions)), None)
    static = route.fallback.static if route.fallback else None
    if branch is None:
        return Answer(entity, None, (), "no arm can answer", static=static)
    cohort = None if entity is None else cohort_of(route, entity)
    shares = branch.shares if cohort is None else (_holder(branch.shares, cohort),)
    ladders = tuple(rungs(route, share.arm) for share in shares)
    copies = tuple(copied_to(route, share.arm) for share in shares)
    return Answer(entity, cohort, shares, ladders=ladders, static=static, copies=copies)


def received(request: Request) -> Request:
    """The request as rules see it: blanks around a header's value are not part of it (RFC 9110, section 5.5)."""
    headers = {name: text.strip(" \t") for name, text in request.headers.items()}
    return Request(headers, request.query, request.body if _readable(request.body) else None)


def cohort_of(route: PolicyRoute, entity: str) -> int:
    """The entity's hash bucket, 0 to 9,999: every objective has its own."""
    text = f"{route.key.namespace}/{route.objective}:{entity}"
    return xxhash.xxh64_intdigest(text.encode()) % TOTAL_WEIGHT


def _holder(shares: tuple[Share, ...], cohort: int) -> Share:
    for share in shares:
        cohort -= share.width
        if cohort < 0:
            return share
    raise AssertionError("the shares hold all cohorts")


def _entity(sticky: Sticky | None, request: Request) -> str | None:
    if sticky is None:
        return None
    if sticky.kind == "cookie":
        return entity_in(request.headers.get("cookie", ""), sticky.name)
    return request.headers.get(sticky.name) if sticky.kind == "header" else _text(_field(request.body, sticky.name))


def fits(condition: Condition, request: Request) -> bool:
    """Whether a request, as `received` gives it, fulfils a condition."""
    return _holds(condition, request) != condition.invert


def _holds(condition: Condition, request: Request) -> bool:
    text = value_of(condition, request)
    if condition.test != "range":
        return _compares(condition, text)
    if condition.source == "body":
        return _in_range(condition, _number(_field(request.body, condition.name)))
    return _in_range(condition, _integer(text))


def value_of(condition: Condition, request: Request) -> str | None:
    """The text that a condition compares; None where the request has none."""
    if condition.source == "body":
        return _text(_field(request.body, condition.name))
    return (request.headers if condition.source == "header" else request.query).get(condition.name)


def _compares(condition: Condition, text: str | None) -> bool:
    if text is None:
        return False
    operands = [str(operand) for operand in condition.operands]
    match condition.test:
        case "values":
            return text in operands
        case "prefix":
            return text.startswith(operands[0])
        case "suffix":
            return text.endswith(operands[0])
        case "contains":
            return operands[0] in text
        case _:
            return True


def _in_range(condition: Condition, number: float | None) -> bool:
    low, high = condition.operands
    if number is None or not abs(number) < _LARGEST:
        return False
    return (low is None or number >= int(low)) and (high is None or number <= int(high))


def _field(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _readable(body: Any) -> bool:
    """Whether the gateway's JSON parser takes it: it refuses whole numbers of 64 bits that need the sign's bit."""
    if isinstance(body, dict):
        return all(map(_readable, body.values()))
    if isinstance(body, list):
        return all(map(_readable, body))
    return not isinstance(body, int) or not _INT64 <= body < 2 * _INT64


def _text(value: Any) -> str | None:
    """A field as json_to_metadata writes it: true is 1, fractions have six digits, whole numbers fit 64 bits."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return str(value)
    if isinstance(value, int | float):
        return f"{value:.6f}"
    return value if isinstance(value, str) and value else None


def _integer(text: str | None) -> int | None:
    """A header as a number: whole, of 64 bits."""
    number = int(text) if text is not None and _INTEGER.fullmatch(text) else None
    return number if number is not None and -_INT64 <= number < _INT64 else None


def _number(value: Any) -> float | None:
    """A field as a number; json_to_metadata reads texts as C's strtod does."""
    if isinstance(value, str):
        text = value.strip()
        if _HEXADECIMAL.fullmatch(text):
            return _from_hexadecimal(text)
        return float(text) if _NUMBER.fullmatch(text) else None
    return float(value) if _text(value) is not None else None


def _from_hexadecimal(text: str) -> float | None:
    try:
        return float.fromhex(text)
    except OverflowError:
        return None
