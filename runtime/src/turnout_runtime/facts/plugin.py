"""Facts from sources that other packages bring, under the entry point group `turnout.facts`.

The entry point is a factory that takes the declared options and returns a source. Its `get(key, scope)` may be plain
or `async`, and may return a `Found`, a dict, None for no such key, or a future of one of them; `connect()` and
`close()`, where it has them, are awaited at the start and the end. It runs on the event loop: what blocks belongs in
`asyncio.to_thread`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from inspect import isawaitable
from typing import Any

from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.facts.source import BadValue, Found, NoSuchKey, Scope, SourceFailed
from turnout_runtime.facts.values import copied, dated

GROUP = "turnout.facts"
_log = logging.getLogger(GROUP)
_PATIENCE = 10.0  # seconds that the start may wait for a plug-in


class PluginFacts:
    """A foreign source, brought into shape; what it keeps stays its own, since workflows may change what they get."""

    def __init__(self, source: Any, timestamp_field: str | None = None) -> None:
        self._source, self._timestamp_field = source, timestamp_field

    def get(self, key: str, scope: Scope) -> Found | asyncio.Future[Found]:
        """See `FactSource.get`."""
        with _foreign():
            answer = self._source.get(key, scope)
        if isawaitable(answer):
            return asyncio.get_running_loop().create_task(self._later(key, answer))
        return self._found(key, answer)

    async def connect(self) -> None:
        """Let the source prepare; one that cannot yet is only told, unless it raises `ConfigInvalid`."""
        if not hasattr(self._source, "connect"):
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._source.connect()
        except ConfigInvalid:
            raise
        except Exception as error:  # its text may quote a secret
            told = {"plugin": type(self._source).__name__, "error": type(error).__name__}
            _log.warning("a plug-in for facts is not ready", extra=told)

    async def close(self) -> None:
        """Let the source clean up."""
        if hasattr(self._source, "close"):
            await self._source.close()

    async def _later(self, key: str, answer: Awaitable[object]) -> Found:
        with _foreign():
            value = await answer
        return self._found(key, value)

    def _found(self, key: str, answer: object) -> Found:
        if answer is None:
            raise NoSuchKey(key)
        if isinstance(answer, Found) and isinstance(answer.value, dict):
            return Found(copied(answer.value), answer.as_of_ns)
        if isinstance(answer, dict):
            return dated(copied(answer), self._timestamp_field)
        raise BadValue(f"the plug-in returned a {type(answer).__name__}, but must return a dict")


@contextmanager
def _foreign() -> Iterator[None]:
    """Let it fail in ordinary ways only: an exit, or an extension's panic, would end the process."""
    try:
        yield
    except (Exception, asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise SourceFailed(f"it raised {type(error).__name__}") from error


def plugin(field: str, name: str, options: Mapping[str, Any], timestamp_field: str | None) -> PluginFacts:
    """The source that an installed package offers; raises `ConfigInvalid` naming the field and what there is."""
    offered = entry_points(group=GROUP)
    if name not in offered.names:
        there = ", ".join(sorted(offered.names)) or "none"
        raise ConfigInvalid(f"{field}.name: no installed package offers {name!r} under {GROUP}; there is {there}")
    try:
        source = offered[name].load()(dict(options))
    except Exception as error:
        raise ConfigInvalid(f"{field}: {name} cannot be made with these options: {type(error).__name__}") from error
    if not callable(getattr(source, "get", None)):
        raise ConfigInvalid(f"{field}: what {name} makes has no get(key, scope)")
    return PluginFacts(source, timestamp_field)
