"""Times and spans of time as people type them. Pure."""

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_of(text: str) -> float:
    """A span such as 90s, 90m, 24h, 30d in seconds; raises `ValueError` that says how one is written."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no span of time such as 90m, 24h, 30d")
    return float(found[1]) * _UNITS[found[2]]


def moment_of(text: str, now: datetime) -> datetime:
    """RFC 3339, a date, or a span before `now`; in UTC, also without an offset. Raises `ValueError` likewise."""
    if _SPAN.fullmatch(text.strip()):
        return now - timedelta(seconds=seconds_of(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write 2026-01-31T12:00:00Z, a date, or 30m, 24h, 7d ago") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def rfc3339(moment: datetime) -> str:
    """A time in UTC as the log writes it, with microseconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
