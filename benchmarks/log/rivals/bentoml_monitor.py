"""BentoML's monitoring with its default, a rotating file: a row's fields are its columns."""

import logging
from typing import Any

import bentoml
from loggers import TARGET, time_it

_RESERVED = {"request_id": "asked", "trace_id": "trace"}  # it warns at each of these, which costs more than the row
OPTIONS = {"log_path": str(TARGET)}


def log(row: dict[str, Any]) -> None:
    with bentoml.monitor("flights", monitor_options=OPTIONS) as monitor:
        for name, value in row.items():
            monitor.log(value, _RESERVED.get(name, name), "feature", "categorical")


time_it(log, logging.shutdown)
