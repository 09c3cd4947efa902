"""Where in a request a value is found: names of headers and paths in the body."""

from turnout_operator.api.schema import Rule, matches

_WORD = r"[A-Za-z_][A-Za-z0-9_]*"

HEADER_RULE = matches(r"[a-z0-9!#$%&*+.^_`|~-]+", "must be a header's name in lower case, for example x-entity-id")
OWN_HEADER_RULE = Rule(
    "!self.startsWith('x-turnout-')",
    "must not start with x-turnout-: the gateway removes such headers from requests; use another name",
    lambda header: not header.startswith("x-turnout-"),
    reason="FieldValueForbidden",
)
COOKIE_RULE = matches(r"[A-Za-z0-9!#$%&*+.^_`|~-]+", "must be a cookie's name, for example customer")
BODY_FIELD_RULE = matches(
    rf"{_WORD}(\.{_WORD}){{0,3}}",
    "must be a path of up to 4 names in the JSON body, for example entity_id or context.user.id",
)
