"""Logs that keep a sample, as if all their records had been kept at one rate.

A sampled log keeps every failure and fallback, but a share of the ordinary answers. Comparing distributions needs each
kind by its true share, so records that were kept at a higher rate are thinned out to the lowest; what is left are plain
records again, for which all that is said of chance holds.
"""

from collections.abc import Callable, Iterable, Iterator

import xxhash

from turnout_runtime.analysis.sampled import is_sampled
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.evaluation.records import Record

_64_BITS = 2.0**64


def even(source: LogSource, read: Callable[[], Iterable[Record]]) -> Iterator[Record]:
    """The records that `read` reads of the log; of a sampled one, which is read twice, those that make it even."""
    if not is_sampled(source):
        yield from read()
        return
    least = min((rate_of(record) for record in read()), default=1.0)
    yield from thinned(read(), least)


def thinned(records: Iterable[Record], rate: float) -> Iterator[Record]:
    """Each with the same chance of `rate`, which is the lowest that any was kept at. The request's id decides."""
    for record in records:
        name = str(record.get("request_id") or record.get("prediction_id"))
        chance = rate / rate_of(record)
        if chance >= 1 or xxhash.xxh64_intdigest(name.encode(errors="replace"), seed=1) < chance * _64_BITS:
            yield record


def rate_of(record: Record) -> float:
    """The share of such records that was kept."""
    return float(record.get("sample_rate") or 1.0)
