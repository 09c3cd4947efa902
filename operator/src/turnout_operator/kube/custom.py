"""The custom resources' events through kopf, into stores.

kopf watches, reconnects and supervises; its change handlers, daemons and indexes are left out, since they patch the
objects and add finalizers. A watch that had to start anew never reports what was deleted in between, so a listing
every `RELIST_SECONDS` compares names.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import aiohttp
import kopf

from turnout_operator.kube.client import Api
from turnout_operator.kube.errors import ApiError, NotFound
from turnout_operator.kube.listing import list_all
from turnout_operator.kube.resources import Object, Resource
from turnout_operator.kube.store import Store

log = logging.getLogger(__name__)
RELIST_SECONDS = 120.0


class CustomResources:
    """Feeds one store per custom resource."""

    def __init__(self, api: Api, stores: Mapping[Resource, Store]) -> None:
        self._api = api
        self._stores = stores
        self.registry = kopf.OperatorRegistry()
        kopf.on.startup(registry=self.registry)(_configure)
        kopf.on.login(registry=self.registry)(_login)
        for resource in stores:
            self._subscribe(resource)

    def _subscribe(self, resource: Resource) -> None:
        @kopf.on.event(resource.group, resource.version, resource.plural, registry=self.registry)
        async def take(event: Any, **_: Any) -> None:
            self.take(resource, event["type"], event["object"])

    def take(self, resource: Resource, event_type: str | None, obj: Object) -> None:
        """One watch event; `event_type` is None for an object of kopf's own listing."""
        if event_type == "DELETED":
            self._stores[resource].delete(obj)
        else:
            self._stores[resource].put(dict(obj))

    async def served(self) -> None:
        """Return once the API server serves the resources: kopf looks only once, when it starts."""
        while not await self._are_served():
            log.info("waiting for the custom resource definitions")
            await asyncio.sleep(1)

    async def sync(self) -> None:
        """Make the stores equal to a whole listing; raises `ApiError`."""
        for resource, store in self._stores.items():
            seen, version = await list_all(self._api, resource, {}, store.put)
            store.retain(seen, version)

    async def relist(self) -> None:
        """Run until cancelled: find what no watch reported."""
        while True:
            await asyncio.sleep(RELIST_SECONDS)
            try:
                await self.sync()
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("listing the custom resources: %s", error)

    async def _are_served(self) -> bool:
        for resource in self._stores:
            try:
                found = await self._api.request("GET", f"/apis/{resource.api_version}")
            except NotFound:
                return False
            if resource.plural not in {each["name"] for each in found["resources"]}:
                return False
        return True


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf copies every object to find out what changed, for handlers that are not used here."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


def _configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.reconnect_backoff = 1.0
    settings.queueing.idle_timeout = 1.0
    settings.process.ultimate_exiting_timeout = 5.0
    settings.persistence.diffbase_storage = _NoDiffs()


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


async def run_kopf(resources: CustomResources, ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Run kopf until `stop` is set; raises what stops it early, so that the process ends and is restarted."""
    await kopf.operator(registry=resources.registry, clusterwide=True, ready_flag=ready, stop_flag=stop)
