"""Leadership by a Lease, as client-go's leader election does it, with release on stop.

The holder renews every `renew_seconds`; a standby takes over once it has seen no renewal for `lease_seconds` of its own
clock. Clocks of different machines are never compared.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp

from turnout_operator.kube.client import Api
from turnout_operator.kube.errors import ApiError, Conflict, NotFound
from turnout_operator.kube.resources import LEASES, Object

log = logging.getLogger(__name__)


class LeaderElection:
    """Holds the Lease `namespace/name` as `identity`, or waits for it."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        *,
        lease_seconds: float = 6.0,
        renew_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._path = LEASES.path(namespace)
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._lease_seconds = lease_seconds
        self._renew_seconds = renew_seconds
        self._clock = clock
        self._seen: tuple[str, float] = ("", 0.0)
        self._held: Object | None = None
        self._holder = ""
        self._renewed = 0.0

    async def acquire(self) -> None:
        """Return once this process is the leader."""
        while not await self._try():
            await asyncio.sleep(self._renew_seconds / 8)
        log.info("leading as %s", self._identity)

    async def hold(self) -> None:
        """Renew until the Lease is lost; returns before another replica can have taken it (never while leading)."""
        try:
            async with asyncio.timeout_at(self._renewed + self._margin) as deadline:
                while self._holder == self._identity:
                    await asyncio.sleep(self._renew_seconds)
                    if await self._try():
                        deadline.reschedule(self._renewed + self._margin)
        except TimeoutError:
            log.error("the lease %s could not be renewed in time", self._name)
        log.error("lost the lease %s", self._name)

    async def release(self) -> None:
        """Give the Lease up, so that a standby takes over at once."""
        if self._held is None:
            return
        lease = self._held
        self._held = None
        lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
        try:
            await self._put(lease)
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the lease could not be released: %s", error)

    @property
    def _margin(self) -> float:
        return self._lease_seconds * 0.8

    async def _try(self) -> bool:
        started = asyncio.get_running_loop().time()
        try:
            if await self._try_once():
                self._renewed = started
                return True
        except Conflict:
            # Somebody took it, or our last write was carried out though its answer was lost: look again.
            self._held = None
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("lease %s: %s", self._name, error)
        return False

    async def _try_once(self) -> bool:
        lease = self._held or await self._get()
        if lease is None:
            self._held = await self._create()
        elif self._is_mine(lease) or self._has_expired(lease):
            self._held = await self._put(self._claimed(lease))
        else:
            self._holder = lease["spec"]["holderIdentity"]
            return False
        self._holder = self._identity
        return True

    def _is_mine(self, lease: Object) -> bool:
        return bool(lease["spec"].get("holderIdentity") == self._identity)

    def _has_expired(self, lease: Object) -> bool:
        """True once the same version was seen for a whole lease by our own clock, or when it was released."""
        if not lease["spec"].get("holderIdentity"):
            return True
        version = lease["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, self._clock())
        return self._clock() - self._seen[1] > self._lease_seconds

    def _claimed(self, lease: Object) -> Object:
        spec = lease["spec"]
        if not self._is_mine(lease):
            spec["leaseTransitions"] = spec.get("leaseTransitions", 0) + 1
            spec["acquireTime"] = _now()
        spec |= {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(self._lease_seconds),
            "renewTime": _now(),
        }
        return lease

    async def _get(self) -> Object | None:
        try:
            return await self._api.request("GET", f"{self._path}/{self._name}", timeout=self._renew_seconds)
        except NotFound:
            return None

    async def _create(self) -> Object:
        lease: Object = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {},
        }
        return await self._api.request("POST", self._path, body=self._claimed(lease), timeout=self._renew_seconds)

    async def _put(self, lease: Object) -> Object:
        path = f"{self._path}/{self._name}"
        return await self._api.request("PUT", path, body=lease, timeout=self._renew_seconds)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
