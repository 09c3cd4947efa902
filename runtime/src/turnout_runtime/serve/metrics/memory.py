"""Answers that are remembered: by declared fields, and by request_id."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from turnout_runtime.predict.cache import AnswersByKey
from turnout_runtime.predict.replays import Replays
from turnout_runtime.telemetry.tally import counter


def memory_metrics(cache: AnswersByKey | None, replays: Replays | None) -> Iterator[Metric]:
    """Render the families; those of what is not declared are left out."""
    if cache is not None:
        stats = cache.stats
        looked = [(("hit",), stats.hit), (("miss",), stats.miss), (("stale",), stats.stale)]
        yield counter("turnout_answer_cache", "Requests by what the answer cache had for them", ("result",), looked)
        yield counter(
            "turnout_answer_cache_age_seconds", "Ages of the answers that were hits, summed", (), [((), stats.age_sum)]
        )
    if replays is not None:
        yield counter(
            "turnout_replays", "Requests that came again and got the first answer", (), [((), replays.replayed)]
        )
        conflicts = [((), replays.conflicts)]
        yield counter("turnout_replay_conflicts", "A request_id that came again with another body", (), conflicts)
