"""Which part of a Cookie header is the entity's id: one expression for the gateway (RE2), for `explain` and for docs.

The gateway can't take cookies apart. It finds the id by a regular expression that the whole header must match, and so
does everybody else who needs it, so that all agree on headers that no browser would send.
"""

import re

# Printable ASCII without blanks at its ends, and without what ends a cookie or begins a quoted one.
_VALUE = "[!#-:<-~](?:[ -:<-~]*[!-:<-~])?"


def pattern(name: str, anything: str = r"[\s\S]") -> str:
    """What a Cookie header with an id matches as a whole; the id is group 1 where it is in quotes, else group 2.

    Of several cookies `name` it is the first whose value can be an id. `anything` is one byte or character of other
    cookies; RE2 needs `\\C` there, as headers may have bytes that are no UTF-8.
    """
    before = rf"(?:{anything}*?;[ \t]*)??"
    after = rf"[ \t]*(?:;{anything}*)?"
    return rf'{before}{_escaped(name)}=(?:"({_VALUE})"|({_VALUE})){after}'


def _escaped(name: str) -> str:
    return re.sub(r"([^A-Za-z0-9_])", r"\\\1", name)


def entity_in(header: str, name: str) -> str | None:
    """The entity's id in a Cookie header; None when no cookie of that name has one."""
    found = re.fullmatch(pattern(name), header)
    return (found[1] or found[2]) if found else None
