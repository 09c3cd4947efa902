"""Who the gateway says the caller is. Pure."""

import base64
from functools import lru_cache

import orjson

from turnout_runtime.text import encodable

HEADER = "x-turnout-caller"
_MOST = 8192  # characters of the header


@lru_cache(maxsize=256)  # few callers send most requests
def claims_of(header: str | None) -> dict[str, str] | None:
    """The claims in the gateway's header, a base64url JSON object; None for what is none. Not to be changed.

    A claim that is no text is written as JSON.
    """
    if header is None or len(header) > _MOST:
        return None
    try:
        claims = orjson.loads(base64.b64decode(header + "=" * (-len(header) % 4), b"-_", validate=True))
    except ValueError:
        return None
    if not isinstance(claims, dict) or not all(map(encodable, claims)):
        return None
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in claims.items()}
