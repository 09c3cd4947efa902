"""What stands behind a path."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from turnout_runtime.errors import NotFound
from turnout_runtime.serve.http1.app import Answer, Begun
from turnout_runtime.serve.http1.request import Request

if TYPE_CHECKING:
    from turnout_runtime.serve.http1.connection import Connection

Handler: TypeAlias = "Callable[[Request, Connection], bytes | Begun | Answer]"

_ABSOLUTE = re.compile(rb"https?://[^/?]*", re.IGNORECASE)
_OBJECTIVE = re.compile(r"/v1/([a-z0-9-]{1,63})/([a-z0-9-]{1,63})(/.*)")
_MAX_KNOWN = 1024


class Endpoint(NamedTuple):
    """Methods of a path, and the objective that its predictions are for.

    `limited` are paths that cost an execution, so that the pod may turn their requests away; `oip` those that speak
    the Open Inference Protocol. `feedback` is not about a prediction to come, but leaves rows of its own.
    """

    objective: str
    methods: Mapping[bytes, Handler]
    limited: bool = False
    oip: bool = False
    feedback: bool = False

    @property
    def allow(self) -> str:
        """Value of the Allow header."""
        names = (
            {method.decode() for method in self.methods} | {"OPTIONS"} | ({"HEAD"} if b"GET" in self.methods else set())
        )
        return ", ".join(sorted(names))


class Endpoints:
    """Finds the endpoint of a request's target, and remembers it: callers use few."""

    def __init__(self, namespace: str, find: Callable[[str | None, str], Endpoint | None]) -> None:
        """`find` gives the endpoint of an objective (None: the pod itself) and a path below it."""
        self._namespace, self._find = namespace, find
        self._known: dict[bytes, Endpoint] = {}

    def of(self, target: bytes) -> Endpoint:
        """Raises `NotFound`, saying what there is."""
        known = self._known.get(target)
        if known is not None:
            return known
        endpoint = self._resolve(target)
        if len(self._known) < _MAX_KNOWN:
            self._known[target] = endpoint
        return endpoint

    def _resolve(self, target: bytes) -> Endpoint:
        absolute = _ABSOLUTE.match(target)
        if absolute:
            target = target[absolute.end() :]
        path = target.partition(b"?")[0].decode("latin-1")
        match = _OBJECTIVE.fullmatch(path)
        found = None
        if match is None:
            found = self._find(None, path)
        elif match[1] == self._namespace:
            found = self._find(match[2], match[3])
        if found is None:
            raise NotFound(
                f"predictions are at /v1/{self._namespace}/<objective>/predict, and /openapi.json tells the rest"
            )
        return found
