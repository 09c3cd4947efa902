"""The certificates of the xDS connection, made and renewed by the operator itself.

A chart could make them with Helm's `genCA`, but then every GitOps render would differ from the last. The Secrets:
`turnout-xds-ca` (CA key; only the operator reads it) and `turnout-xds-gateway` (what the gateways mount).
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp
import grpc

from turnout_operator.kube.client import Api
from turnout_operator.kube.errors import ApiError
from turnout_operator.kube.secrets import create_secret, read_secret, replace_secret
from turnout_operator.xds.tls import (
    Identity,
    KeyPair,
    is_issued_by,
    make_ca,
    make_client,
    make_server,
    needs_renewal,
    server_credentials,
)

log = logging.getLogger(__name__)
CA_SECRET = "turnout-xds-ca"  # noqa: S105 - a name
GATEWAY_SECRET = "turnout-xds-gateway"  # noqa: S105 - a name
CHECK_SECONDS = 60.0


class Certificates:
    """Keeps the CA, this replica's server certificate and the gateways' client certificate valid.

    `renewed` is called when the authorities to trust have changed.
    """

    def __init__(
        self, api: Api, namespace: str, service: str, is_leader: Callable[[], bool], renewed: Callable[[], None]
    ) -> None:
        self._renewed = renewed
        self._api = api
        self._namespace = namespace
        self._service = service
        self._is_leader = is_leader
        self._identity: Identity | None = None

    async def load(self) -> grpc.ServerCredentials:
        """Make what is missing and return the server's credentials; raises `ApiError`."""
        await self._refresh()
        return server_credentials(self._current)

    def authorities(self) -> str:
        """The CA certificates by which a gateway's certificate is known, PEM; empty before `load`."""
        return self._identity.authorities.decode() if self._identity else ""

    async def rotate(self) -> None:
        """Renew in time when leading, follow what the leader renewed otherwise; runs until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._refresh()
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("certificates could not be checked: %s", error)
            except (KeyError, ValueError) as error:
                log.error("a certificate Secret is damaged, delete it to have it made anew: %r", error)

    def _current(self) -> Identity:
        if self._identity is None:
            raise RuntimeError("load() comes first")
        return self._identity

    async def _refresh(self) -> None:
        now = datetime.now(UTC)
        ca, authorities = await self._authority(now)
        await self._gateway(ca, authorities, now)
        known = self._identity
        if known is None or known.authorities != authorities or needs_renewal(known.pair.certificate, now):
            self._identity = Identity(make_server(ca, [self._service], now), authorities)
        if known is not None and known.authorities != authorities:
            self._renewed()

    async def _authority(self, now: datetime) -> tuple[KeyPair, bytes]:
        """The CA, and all certificates to trust: after a renewal the previous one as well."""
        data = await self._ensure(CA_SECRET, _ca_data(make_ca("turnout-xds", now)))
        if self._is_leader() and needs_renewal(data["ca.crt"], now):
            data = _ca_data(make_ca("turnout-xds", now), previous=data["ca.crt"])
            await replace_secret(self._api, self._namespace, CA_SECRET, data)
            log.info("renewed the xDS certificate authority")
        return KeyPair(data["ca.crt"], data["ca.key"]), data["ca.crt"] + data.get("previous.crt", b"")

    async def _gateway(self, ca: KeyPair, authorities: bytes, now: datetime) -> None:
        fresh = _gateway_data(make_client(ca, "turnout-gateway", now), authorities)
        data = await self._ensure(GATEWAY_SECRET, fresh)
        if not self._is_leader():
            return
        # After a renewal of the CA the certificate stays until its own time comes: pods hear of a new CA a minute late.
        outdated = needs_renewal(data["tls.crt"], now) or not is_issued_by(data["tls.crt"], authorities)
        if outdated:
            await replace_secret(self._api, self._namespace, GATEWAY_SECRET, fresh)
            log.info("renewed the gateways' client certificate")
        elif data.get("ca.crt") != authorities:
            await replace_secret(self._api, self._namespace, GATEWAY_SECRET, {**data, "ca.crt": authorities})

    async def _ensure(self, name: str, data: dict[str, bytes]) -> dict[str, bytes]:
        """The Secret's data, created with `data` when it is missing; the first of several replicas wins."""
        found = await read_secret(self._api, self._namespace, name)
        if found is None and await create_secret(self._api, self._namespace, name, data):
            return data
        return found or await read_secret(self._api, self._namespace, name) or data


def _ca_data(ca: KeyPair, previous: bytes = b"") -> dict[str, bytes]:
    return {"ca.crt": ca.certificate, "ca.key": ca.key, "previous.crt": previous}


def _gateway_data(pair: KeyPair, authorities: bytes) -> dict[str, bytes]:
    return {"ca.crt": authorities, "tls.crt": pair.certificate, "tls.key": pair.key}
