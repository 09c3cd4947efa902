"""What of a record nobody may read, or only as a keyed hash: replaced before anything touches a disk. Pure."""

import hmac
from collections.abc import Callable, Iterable
from typing import Any

import orjson

_PREFIX = "hmac:"
_DIGITS = 32
_Change = Callable[[Any], Any]


def pseudonym(key: bytes, value: Any) -> str | None:
    """What stands for a value: the same for the same text and key. Text is hashed as it is, all else as JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return _PREFIX + hmac.digest(key, text.encode(errors="replace"), "sha256").hex()[:_DIGITS]


class Privacy:
    """Replaces fields by null, or by their hash.

    A path such as `context.passenger.name` leads through objects; through each element where there is a list. A name on
    it may have dots itself. What is not there is not missed.
    """

    def __init__(self, redact: Iterable[str] = (), hashed: Iterable[str] = (), key: bytes = b"") -> None:
        """A path that is both is redacted."""
        self._rules: dict[str, list[tuple[list[str], _Change]]] = {}
        for path in hashed:
            self._add(path, lambda value: pseudonym(key, value))
        for path in redact:
            self._add(path, lambda _: None)

    def _add(self, path: str, change: _Change) -> None:
        root, *names = path.split(".")
        self._rules.setdefault(root, []).append((names, change))

    def __call__(self, record: dict[str, Any]) -> None:
        """Change the record, and the objects and lists in it, as JSON gives them."""
        for root, rules in self._rules.items():
            if root in record:
                for names, change in rules:
                    record[root] = _changed(record[root], names, change)


def _changed(value: Any, names: list[str], change: _Change) -> Any:
    if not names:
        return change(value)
    if isinstance(value, list):
        return [_changed(each, names, change) for each in value]
    if isinstance(value, dict):
        for count in range(1, len(names) + 1):
            name = ".".join(names[:count])
            if name in value:
                value[name] = _changed(value[name], names[count:], change)
    return value
