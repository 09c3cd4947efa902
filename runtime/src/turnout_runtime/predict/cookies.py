"""The entity's id in a cookie: the gateway hashes it and names the cookie, but can't cut it out."""

import re
from functools import lru_cache

# As the gateway has it: printable ASCII without blanks at its ends, and without what ends a cookie or begins a quoted
# one. The first cookie of the name whose value is such counts.
_VALUE = "[!#-:<-~](?:[ -:<-~]*[!-:<-~])?"


def entity_in(header: str, name: str) -> str | None:
    """The entity's id in a Cookie header; None when no cookie `name` has one."""
    found = _pattern(name).fullmatch(header)
    return (found[1] or found[2]) if found else None


@lru_cache(maxsize=64)
def _pattern(name: str) -> re.Pattern[str]:
    value = rf'(?:"({_VALUE})"|({_VALUE}))[ \t]*'
    return re.compile(rf"(?:[\s\S]*?;[ \t]*)??{re.escape(name)}={value}(?:;[\s\S]*)?")
