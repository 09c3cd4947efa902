"""The seam to the API server: requests in, parsed JSON out, every refusal an `ApiError`.

Configuration, credentials and transport are the official client's (`kubernetes.aio`); its object models are left
aside, since building them costs more than the request (about 1 ms an apply against 0.4 ms).
"""

import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from turnout_operator.kube.errors import NamespaceTerminating, api_error
from turnout_operator.kube.resources import Object

FIELD_MANAGER = "turnout"
APPLY = "application/apply-patch+yaml"
APPLY_QUERY = {"fieldManager": FIELD_MANAGER, "force": "true"}
JSON = "application/json"


class Api(Protocol):
    """What the rest of `kube` needs of a client; tests put a fake here."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = JSON,
        timeout: float = 30.0,
    ) -> Object:
        """One request; raises `ApiError`."""

    def stream(self, path: str, *, query: Mapping[str, str], timeout: float) -> AsyncIterator[Object]:
        """The JSON lines of a watch; raises `ApiError`."""


class Client:
    """The client used outside tests: in-cluster credentials, else the kubeconfig."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        self._rest = RESTClientObject(configuration)

    @classmethod
    async def connect(cls, context: str | None = None) -> "Client":
        """Load credentials; raises `kubernetes.aio.config.ConfigException` when there are none. `context` is one of
        the kubeconfig's."""
        configuration = Configuration()
        if context is None and "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
            config.load_incluster_config(client_configuration=configuration)
        else:
            await config.load_kube_config(context=context, client_configuration=configuration)
        configuration.connection_pool_maxsize = 64
        return cls(configuration)

    @staticmethod
    def namespace(context: str | None = None) -> str:
        """The namespace that a context of the kubeconfig is set to."""
        try:
            contexts, active = config.list_kube_config_contexts()
        except config.ConfigException:
            return "default"
        chosen = next((each for each in contexts if each["name"] == context), active)
        return str(chosen["context"].get("namespace") or "default")

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = JSON,
        timeout: float = 30.0,
    ) -> Object:
        """One request and its parsed answer; raises `ApiError`."""
        headers = {**await self._auth(), "Accept": JSON, "Content-Type": content_type}
        answer = await self._rest.request(method, self._url(path, query), headers, body, _request_timeout=timeout)
        data = await answer.read()
        if answer.status >= 400:
            raise _refusal(answer.status, data)
        parsed: Object = orjson.loads(data)
        return parsed

    async def stream(self, path: str, *, query: Mapping[str, str], timeout: float) -> AsyncIterator[Object]:
        """The objects of a watch, one a line, until the server ends it or `timeout` seconds passed."""
        headers = {**await self._auth(), "Accept": JSON}
        answer = await self._rest.request("GET", self._url(path, query), headers, _request_timeout=timeout)
        try:
            if answer.status >= 400:
                raise _refusal(answer.status, await answer.read())
            async for line in answer.response.content:
                yield orjson.loads(line)
        finally:
            answer.response.close()

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        return f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")

    async def _auth(self) -> dict[str, str]:
        token = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return {"Authorization": token} if token else {}


def _refusal(status: int, data: bytes) -> Exception:
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        answer = {}
    reason = answer.get("reason") or "Unknown"
    causes = (answer.get("details") or {}).get("causes") or ()
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceTerminating(status, reason, answer["message"])
    return api_error(status, reason, answer.get("message") or data[:500].decode(errors="replace"))
