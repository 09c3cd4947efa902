"""The runtime's own log: JSON lines on stderr."""

import logging
import sys
from datetime import UTC, datetime

import orjson

from turnout_runtime.plain import plain

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One line per event: time, level, logger, message, an exception's traceback, what was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Render the record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        line = {**line, **extra, **line}  # in this order, and an extra `level` is not the line's
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # what JSON has no place for must not cost the line
            return orjson.dumps(plain(line)).decode()


def configure() -> None:
    """Send all logging to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
