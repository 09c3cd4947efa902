"""Which rows are about an entity. Pure."""

from dataclasses import dataclass, field

import orjson

from turnout_runtime.log.segments import Kind


@dataclass(slots=True)
class Condemned:
    """Rows with one of these entities, and feedback about a prediction of theirs, which is learnt first.

    A shadow has the entity of its original.
    """

    entities: frozenset[str]
    predictions: set[str] = field(default_factory=set)
    _needles: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        self._needles = tuple(map(orjson.dumps, self.entities))

    def prediction(self, line: bytes) -> str | None:
        """The id of the prediction in a line of a segment, if it is about one of the entities."""
        if not self.may_be(line):
            return None
        record = _parsed(line)
        return str(record.get("prediction_id")) if record.get("entity_id") in self.entities else None

    def line(self, kind: Kind, line: bytes) -> bool:
        """Whether a line of a segment goes; what is no record stays."""
        if kind == "predictions":
            return self.prediction(line) is not None
        record = _parsed(line)
        return record.get("entity_id") in self.entities or record.get("prediction_id") in self.predictions

    def may_be(self, text: bytes) -> bool:
        """A quick look at lines of predictions: False where none of them goes."""
        return any(needle in text for needle in self._needles)


def _parsed(line: bytes) -> dict[str, object]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return record if isinstance(record, dict) else {}
