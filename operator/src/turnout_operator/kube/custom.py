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
from turnout_operator.kube.errors import ApiError
from turnout_operator.kube.resources import Object, Resource
from turnout_operator.kube.store import Store, key_of

log = logging.getLogger(__name__)
RELIST_SECONDS = 60.0
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


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
        """One watch event, or one object of a listing (`event_type` None)."""
        if event_type == "DELETED":
            self._stores[resource].remove(key_of(obj))
        else:
            self._stores[resource].put(dict(obj))

    async def sync(self) -> None:
        """List everything once, so that the caller may act on whole stores; raises `ApiError`."""
        for resource in self._stores:
            listing = await self._api.request("GET", resource.path(), timeout=60)
            for obj in listing.get("items") or ():
                self.take(resource, None, {"apiVersion": resource.api_version, "kind": resource.kind} | obj)

    async def relist(self) -> None:
        """Run until cancelled: find deletions that no watch reported."""
        while True:
            await asyncio.sleep(RELIST_SECONDS)
            for resource, store in self._stores.items():
                try:
                    await self._forget_deleted(resource, store)
                except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                    log.warning("listing %s: %s", resource.plural, error)

    async def _forget_deleted(self, resource: Resource, store: Store) -> None:
        before = set(store.keys())
        listing = await self._api.request("GET", resource.path(), timeout=60, accept=_METADATA_ONLY)
        for key in before - {key_of(item) for item in listing.get("items") or ()}:
            store.remove(key)


def _configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.reconnect_backoff = 1.0
    settings.queueing.idle_timeout = 1.0
    settings.process.ultimate_exiting_timeout = 5.0


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


async def run_kopf(resources: CustomResources, ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Run kopf until `stop` is set; raises what stops it early, so that the process ends and is restarted."""
    await kopf.operator(registry=resources.registry, clusterwide=True, ready_flag=ready, stop_flag=stop)
