"""Names and strings as SQL writes them."""

from collections.abc import Iterable
from pathlib import Path


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("'", "''") + "'"


def rfc3339(time: str) -> str:
    """A time as text, as the log writes it; the connection's time zone is UTC."""
    return f"strftime({time}, '%Y-%m-%dT%H:%M:%S.%fZ')"


def listed(paths: Iterable[Path]) -> str:
    """A list of file names."""
    return f"[{', '.join(literal(str(path)) for path in paths)}]"
