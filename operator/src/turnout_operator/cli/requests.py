"""The request that a question is about, from what was typed."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from turnout_operator.cli.errors import CommandError
from turnout_operator.plan.explain import Request


def request_of(body: str | None, headers: Iterable[str], query: Iterable[str]) -> Request:
    """`body` names a file of JSON, `-` is stdin; headers and query parameters are `name=value`."""
    sent = {name.lower(): value for name, value in map(_pair, headers)}
    return Request(sent, dict(map(_pair, query)), None if body is None else _json(body))


def _json(path: str) -> Any:
    try:
        if path == "-":
            return json.load(sys.stdin)
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}") from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError(f"{text!r} is not NAME=VALUE, such as x-entity-id=c-7")
    return name, value
