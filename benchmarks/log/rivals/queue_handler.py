"""Python's logging as its cookbook has it for servers: a QueueHandler, and a listener that formats JSON into a file."""

import json
import logging
import queue
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler

from loggers import TARGET, time_it


class Json(logging.Formatter):
    """The row is the record's `row`."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(record.__dict__["row"], separators=(",", ":"))


waiting: "queue.SimpleQueue[logging.LogRecord]" = queue.SimpleQueue()
file = RotatingFileHandler(TARGET / "predictions.log", maxBytes=64 * 2**20, backupCount=64)
file.setFormatter(Json())
listener = QueueListener(waiting, file)
logger = logging.getLogger("predictions")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(QueueHandler(waiting))
listener.start()
time_it(lambda row: logger.info("prediction", extra={"row": row}), listener.stop)
