"""Names and strings as SQL writes them."""

from collections.abc import Iterable
from pathlib import Path


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("'", "''") + "'"


def listed(paths: Iterable[Path]) -> str:
    """A list of file names."""
    return f"[{', '.join(literal(str(path)) for path in paths)}]"
