"""The sink that is a prefix of an object store."""

import asyncio
from collections.abc import Mapping
from typing import Any

from turnout_runtime.config.ship import ObjectStoreSink
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.objectstore import Cause, StoreMissing, explain, open_store
from turnout_runtime.ship.sink import ShippedFile, SinkFailed

_PATIENCE = 300.0  # seconds for a file; it is the silence of 20 seconds that ends most attempts
_ONE_REQUEST = 32 * 1024**2  # bytes: more goes in parts, which a store joins at last, too
_REASONS = {
    Cause.REFUSED: "refused",
    Cause.MISSING: "missing",
    Cause.ANSWERED: "answered",
    Cause.UNREACHABLE: "unreachable",
}


class ObjectFiles:
    """Puts files there: an object appears whole, with the last byte of its request."""

    def __init__(self, name: str, config: ObjectStoreSink, environment: Mapping[str, str]) -> None:
        """`environment` has the variables that are this sink's alone. Raises `ConfigInvalid`."""
        self._name, self._uri = name, config.uri.rstrip("/")
        try:
            self._store = open_sink(config, environment)
        except StoreMissing as error:
            raise ConfigInvalid(f"sink {name}: object stores need turnout-runtime[store]") from error
        except Exception as error:  # obstore has a class for each cause
            raise ConfigInvalid(f"sink {name}: {self._uri}: {explain(self._uri, error).text}") from None

    async def put(self, file: ShippedFile) -> None:
        """See `BatchSink`."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._put(file)
        except TimeoutError:
            text = f"a file of {file.bytes} bytes took more than {_PATIENCE:.0f} s: check the way there"
            raise SinkFailed("timeout", f"sink {self._name}: {self._uri}: {text}") from None
        except Exception as error:  # obstore has a class for each cause
            if isinstance(error, OSError) and error.errno is not None:
                raise SinkFailed("failed", f"sink {self._name}: {file.path.name}: {error.strerror}") from error
            told = explain(self._uri, error, " for this sink", "; check its uri and endpoint")
            raise SinkFailed(_REASONS[told.cause], f"sink {self._name}: {self._uri}: {told.text}") from None

    async def _put(self, file: ShippedFile) -> None:
        if file.bytes > _ONE_REQUEST:
            await self._store.put_async(file.name, file.path, max_concurrency=2)
        else:
            content = await asyncio.to_thread(file.path.read_bytes)
            await self._store.put_async(file.name, content, use_multipart=False)

    async def close(self) -> None:
        """See `BatchSink`; connections end with the store."""


def open_sink(config: ObjectStoreSink, environment: Mapping[str, str]) -> Any:
    """The store of a sink: what is configured goes before its own variables, and those before everybody's."""
    given = {"AWS_ENDPOINT_URL": config.endpoint, "AWS_REGION": config.region} if config.uri.startswith("s3:") else {}
    settings = {**environment, **{name: value for name, value in given.items() if value}}
    return open_store(config.uri.rstrip("/"), settings, retries=1)
