"""Conditions of rules as route matches, and what the body must be read for."""

import math
import re
from collections.abc import Iterable, Sequence

from turnout_operator.plan.cookies import pattern
from turnout_operator.plan.routes import Condition, Sticky
from turnout_operator.xds.render import JsonMap
from turnout_operator.xds.render.listener import ENTITY_KEY, METADATA

# Other bytes can't be hashed alike here and in the pod, CR and LF would break the header, and blanks at the ends get
# lost on the way.
_VALID_ID = "[!-~]([ -~]*[!-~])?"
_INT64 = (-(2**63), 2**63 - 1)


def matches(conditions: Sequence[Condition], headers: Sequence[JsonMap] = ()) -> JsonMap:
    """The fields of a RouteMatch for requests that fulfil all conditions and these header matchers."""
    parts = {
        "headers": [*headers, *(_header(each) for each in conditions if each.source == "header")],
        "query_parameters": [_query(each) for each in conditions if each.source == "query"],
        "dynamic_metadata": [_body(each) for each in conditions if each.source == "body"],
    }
    return {name: found for name, found in parts.items() if found}


def without_body(conditions: Sequence[Condition]) -> tuple[Condition, ...] | None:
    """The conditions for requests whose body isn't read: they have no field. None when such can't fulfil them."""
    if any(each.source == "body" and not each.invert for each in conditions):
        return None
    return tuple(each for each in conditions if each.source != "body")


def bad_id(sticky: Sticky, headers: Sequence[JsonMap]) -> JsonMap:
    """The fields of a RouteMatch for requests whose entity id is there and not valid."""
    valid: JsonMap = {"safe_regex": {"regex": _VALID_ID}}
    if sticky.kind == "header":
        present: JsonMap = {"name": sticky.name, "present_match": True}
        return {"headers": [*headers, present, {"name": sticky.name, "string_match": valid, "invert_match": True}]}
    present = _metadata(ENTITY_KEY, {"present_match": True})
    invalid = _metadata(ENTITY_KEY, {"string_match": valid}, invert=True)
    return {"headers": [*headers], "dynamic_metadata": [present, invalid]}


def has_cookie(sticky: Sticky) -> JsonMap:
    """A header matcher for requests with a cookie that is an entity's id."""
    return {"name": "cookie", "string_match": {"safe_regex": {"regex": cookie_pattern(sticky.name)}}}


def cookie_pattern(name: str) -> str:
    """`plan.cookies.pattern` for RE2, whose characters are UTF-8 but for this one, which is any byte."""
    return pattern(name, r"\C")


def body_rules(sticky: Sticky | None, conditions: Iterable[Condition]) -> list[JsonMap]:
    """The rules of json_to_metadata: the entity's id, and the fields that conditions compare."""
    wanted = {(_key(each), each.name, _type(each)) for each in conditions if each.source == "body"}
    if sticky and sticky.kind == "body":
        wanted.add((ENTITY_KEY, sticky.name, "STRING"))
    return [
        {
            "selectors": [{"key": part} for part in path.split(".")],
            "on_present": {"metadata_namespace": METADATA, "key": key, "type": kind},
        }
        for key, path, kind in sorted(wanted)
    ]


def _header(condition: Condition) -> JsonMap:
    """An absent header fulfils an inverted condition: for Envoy it does so only as an empty one."""
    head: JsonMap = {"name": condition.name, **({"invert_match": True} if condition.invert else {})}
    if condition.test == "present":
        return {**head, "present_match": True}
    absent: JsonMap = {"treat_missing_header_as_empty": True} if condition.invert else {}
    if condition.test == "range":
        low, high = condition.operands
        start = _INT64[0] if low is None else int(low)
        return {**head, **absent, "range_match": {"start": start, "end": _INT64[1] if high is None else int(high) + 1}}
    return {**head, **absent, "string_match": _text(condition)}


def _query(condition: Condition) -> JsonMap:
    if condition.test == "present":
        return {"name": condition.name, "present_match": True}
    return {"name": condition.name, "string_match": _text(condition)}


def _body(condition: Condition) -> JsonMap:
    if condition.test == "present":
        value: JsonMap = {"present_match": True}
    elif condition.test == "range":
        low, high = condition.operands
        end = math.inf if high is None else math.nextafter(float(high), math.inf)
        start = -math.inf if low is None else float(low)
        value = {"double_match": {"range": {"start": _finite(start), "end": _finite(end)}}}
    else:
        value = {"string_match": _text(condition)}
    return _metadata(_key(condition), value, invert=condition.invert)


def _metadata(key: str, value: JsonMap, *, invert: bool = False) -> JsonMap:
    found: JsonMap = {"filter": METADATA, "path": [{"key": key}], "value": value}
    return {**found, "invert": True} if invert else found


def _key(condition: Condition) -> str:
    return f"{_type(condition).lower()}:{condition.name}"


def _type(condition: Condition) -> str:
    return "NUMBER" if condition.test == "range" else "STRING"


def _finite(number: float) -> float:
    return max(-1.7e308, min(1.7e308, number))


def _text(condition: Condition) -> JsonMap:
    texts = [str(operand) for operand in condition.operands]
    if condition.test != "values":
        return {condition.test: texts[0]}
    if len(texts) == 1:
        return {"exact": texts[0]}
    return {"safe_regex": {"regex": "|".join(map(_literal, texts))}}


def _literal(text: str) -> str:
    return re.sub(r"([^A-Za-z0-9_])", r"\\\1", text)
