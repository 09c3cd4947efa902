"""Opens the prefix that a URL names."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

SCHEMES = ("s3", "gs", "az")
PATIENCE = timedelta(seconds=20)
"""How long a store may be silent."""


class StoreMissing(ImportError):
    """obstore is not installed: it is the extra `store`."""


def is_remote(uri: str) -> bool:
    """Whether this is the URL of an object store."""
    return uri.partition("://")[0] in SCHEMES and "://" in uri


def open_store(uri: str, config: Mapping[str, str] | None = None, *, retries: int = 3) -> Any:
    """The obstore store of the prefix `uri`; `config` goes before the environment, under the same names.

    Raises `StoreMissing`, or what obstore raises, of which `explain` tells the cause. It is the silence that is
    bounded, not the time of a whole object.
    """
    try:
        from obstore.store import from_url
    except ImportError as error:
        raise StoreMissing(str(error)) from error
    options: Any = {
        "allow_http": True,  # whoever configures an endpoint of their own says http or https in it
        "connect_timeout": timedelta(seconds=5),
        "read_timeout": PATIENCE,
        "timeout": timedelta(hours=6),
    }
    retry: Any = {"max_retries": retries, "retry_timeout": PATIENCE}
    settings: Any = dict(config or {})
    return from_url(uri, config=settings or None, client_options=options, retry_config=retry)
