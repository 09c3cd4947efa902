"""Whether a log keeps a sample."""

import re

from turnout_runtime.analysis.database import database, one
from turnout_runtime.analysis.relation import of_parquet
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.log.read import blocks_of

_RATE = re.compile(rb'"sample_rate":(?!1(?:\.0)?[,}])[0-9]')


def is_sampled(source: LogSource) -> bool:
    """Whether any record may stand for several requests; a quick look, which at worst says so of one that is not."""
    if any(_RATE.search(block.payload) for path in source.lines for block in blocks_of(path)):
        return True
    if not source.has_parquet:
        return False
    with database() as connection:
        paths = source.parquet(connection, "predictions")
        least = (
            f"SELECT min(sample_rate) FROM ({of_parquet(connection, 'predictions', paths)})" if paths else "SELECT 1"
        )
        (rate,) = one(connection, least)
        return rate is not None and float(rate) < 1
