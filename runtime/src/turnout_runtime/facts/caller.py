"""Facts that the caller sends with the request, in its feature_refs."""

from turnout_runtime.errors import InvalidRequest
from turnout_runtime.facts.source import Found, NoSuchKey, Scope, Value
from turnout_runtime.facts.values import copied, dated


class CallerFacts:
    """An object under `field` of feature_refs, or a precomputed vector: a list of numbers, as `{"vector": [...]}`."""

    def __init__(self, field: str, timestamp_field: str | None = None) -> None:
        self._field, self._timestamp_field = field, timestamp_field

    def get(self, key: str, scope: Scope) -> Found:
        """See `FactSource.get`; the key is not used. `InvalidRequest` for what is neither object nor vector."""
        sent = scope.caller.get(self._field)
        if sent is None:
            raise NoSuchKey(self._field)
        found = dated(copied(self._value(sent)), self._timestamp_field)
        found.origin = "caller"
        return found

    def _value(self, sent: object) -> Value:
        if isinstance(sent, dict):
            return sent
        if isinstance(sent, list) and all(type(number) in (float, int) for number in sent):
            return {"vector": sent}
        raise InvalidRequest(f"feature_refs.{self._field}: must be a JSON object, or a list of numbers")
