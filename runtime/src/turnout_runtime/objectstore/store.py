"""Opens the prefix that a URL names."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

SCHEMES = ("s3", "gs", "az")
_VARIABLES = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
_PLACES = frozenset({"AWS_BUCKET", "AWS_BUCKET_NAME", "GOOGLE_BUCKET", "GOOGLE_BUCKET_NAME", "AZURE_CONTAINER_NAME"})
_UNKNOWN = re.compile(r"[Cc]onfiguration key: '([^']*)'")
PATIENCE = timedelta(seconds=20)
"""How long a store may be silent."""


class StoreMissing(ImportError):
    """obstore is not installed: it is the extra `store`."""


def is_remote(uri: str) -> bool:
    """Whether this is the URL of an object store."""
    return uri.partition("://")[0] in SCHEMES and "://" in uri


def open_store(uri: str, config: Mapping[str, str] | None = None, *, retries: int = 3) -> Any:
    """The obstore store of the prefix `uri`; `config` goes before the environment, under the same names.

    As of the environment, only what the store knows of `config` counts, and the bucket is that of `uri`: a Secret often
    holds other things beside the credentials.

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

    def opened(settings: Any) -> Any:
        return from_url(uri, config=settings or None, client_options=options, retry_config=retry)

    return _with_known(opened, _wanted(uri, config or {}))


def _wanted(uri: str, config: Mapping[str, str]) -> dict[str, str]:
    begin = _VARIABLES.get(uri.partition("://")[0], "")
    return {name: text for name, text in config.items() if name.startswith(begin) and name not in _PLACES}


def _with_known(opened: Callable[[dict[str, str]], Any], settings: dict[str, str]) -> Any:
    """What is opened with those settings that the library knows; it names one that it does not, in lower case."""
    while True:
        try:
            return opened(settings)
        except Exception as error:  # obstore has a class for each cause
            unknown = _UNKNOWN.search(str(error))
            rest = {name: text for name, text in settings.items() if unknown is None or name.lower() != unknown[1]}
            if type(error).__name__ != "UnknownConfigurationKeyError" or len(rest) == len(settings):
                raise
            settings = rest
