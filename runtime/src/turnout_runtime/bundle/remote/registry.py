"""An OCI registry's reading side: where it is, and who we are to it.

Credentials are, in this order: OCI_USERNAME and OCI_PASSWORD; a Docker configuration in the variable
`.dockerconfigjson` (a Secret of type kubernetes.io/dockerconfigjson, taken as it is) or DOCKER_AUTH_CONFIG; the file
config.json in DOCKER_CONFIG or ~/.docker. OCI_PLAIN_HTTP=true speaks http with registries beyond this machine.
"""

import base64
import binascii
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_INLINE = (".dockerconfigjson", "DOCKER_AUTH_CONFIG")


class Registry:
    """One repository of a registry."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        host: str,
        name: str,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._session, self._name = session, name
        self._login = login(host, environment)
        plain = _LOOPBACK.fullmatch(host) or environment.get("OCI_PLAIN_HTTP", "").lower() == "true"
        api = "registry-1.docker.io" if host == "docker.io" else host
        self._scheme = "http" if plain else "https"
        self._base = f"{self._scheme}://{api}/v2/{name}"
        self._authorization: str | None = None

    @asynccontextmanager
    async def get(self, path: str, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """GET below the repository, with credentials when the registry asks for them; raises aiohttp's errors."""
        async with self._session.get(f"{self._base}/{path}", headers=self._signed(headers)) as response:
            if response.status != 401:
                response.raise_for_status()
                yield response
                return
            challenge = response.headers.get("WWW-Authenticate", "")
        self._authorization = await self._answer(challenge)
        async with self._session.get(f"{self._base}/{path}", headers=self._signed(headers)) as response:
            response.raise_for_status()
            yield response

    def _signed(self, headers: dict[str, str]) -> dict[str, str]:
        return headers if self._authorization is None else {**headers, "Authorization": self._authorization}

    async def _answer(self, challenge: str) -> str | None:
        """The Authorization header that a challenge wants, None where we have nothing to show."""
        scheme, _, rest = challenge.partition(" ")
        basic = None if self._login is None else _basic(*self._login)
        if scheme.lower() != "bearer":
            return basic
        wanted = dict(_PARAMETER.findall(rest))
        realm = wanted.get("realm", "")
        if not realm.startswith(("https://", f"{self._scheme}://")):
            return None  # a password goes nowhere that a registry behind TLS would not be
        query = {"scope": wanted.get("scope") or f"repository:{self._name}:pull"}
        if service := wanted.get("service"):
            query["service"] = service
        headers = {} if basic is None else {"Authorization": basic}
        async with self._session.get(realm, params=query, headers=headers) as response:
            response.raise_for_status()
            document = await response.json(content_type=None)
        return f"Bearer {document.get('token') or document.get('access_token')}"


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def login(host: str, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """User and password for a registry; None where nothing is configured for it."""
    user, password = environment.get("OCI_USERNAME"), environment.get("OCI_PASSWORD")
    if user and password:
        return user, password
    for text in _configurations(environment):
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            auths = json.loads(text)["auths"]
            entry = auths.get(host) or auths.get(f"https://{host}") or auths[_hub(host)]
            return _decoded(entry)
    return None


def _configurations(environment: Mapping[str, str]) -> list[str]:
    texts = [environment[name] for name in _INLINE if environment.get(name)]
    folder = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "/"), ".docker"))
    with suppress(OSError, UnicodeDecodeError):
        texts.append((folder / "config.json").read_text())
    return texts


def _hub(host: str) -> str:
    """Docker Hub's entry has a name of its own."""
    return "https://index.docker.io/v1/" if host == "docker.io" else host


def _decoded(entry: Mapping[str, str]) -> tuple[str, str]:
    if "auth" not in entry:
        return entry["username"], entry["password"]
    try:
        user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not base64") from error
    return user, password
