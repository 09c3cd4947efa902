"""Facts that are written down instead of fetched: for a laptop, a test, or a table of a few entries.

Registered as the plug-in `constant`. Options: `value`, the same for every key, or `values`, by key.
"""

from collections.abc import Mapping
from typing import Any

from turnout_runtime.facts.source import Scope, Value


class ConstantFacts:
    """A source that always answers, at once."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        if len(options) != 1 or not isinstance(options.get("value", options.get("values")), dict):
            raise ValueError("options are value: {…}, or values: {KEY: {…}, …}")
        self._value: Value | None = options.get("value")
        self._values: Mapping[str, Value] = options.get("values", {})
        if not all(isinstance(value, dict) for value in self._values.values()):
            raise ValueError("every one of values must be an object")

    def get(self, key: str, scope: Scope) -> Value | None:
        """What is under the key; None when there is nothing."""
        return self._value if self._value is not None else self._values.get(key)
