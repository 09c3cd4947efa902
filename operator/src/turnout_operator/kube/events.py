"""Events that a person reads with `kubectl describe` (events.k8s.io/v1).

An event is said once per object, reason and note; the same again within the hour is dropped, since conditions already
hold the present state.
"""

import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp

from turnout_operator.kube.client import Api
from turnout_operator.kube.errors import ApiError
from turnout_operator.kube.resources import EVENTS, Object, Resource

log = logging.getLogger(__name__)
REPEAT_SECONDS = 3600.0
MAX_REMEMBERED = 10_000
MAX_NOTE = 1024


class EventRecorder:
    """Posts events about custom resources; never raises."""

    def __init__(self, api: Api, instance: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._instance = instance
        self._clock = clock
        self._said: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    async def say(self, resource: Resource, obj: Object, event_type: str, reason: str, action: str, note: str) -> None:
        """Post one event; `event_type` is Normal or Warning, `reason` and `action` are UpperCamelCase."""
        meta = obj["metadata"]
        if self._was_said((meta["uid"], reason, note)):
            return
        body: Object = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"namespace": meta["namespace"], "name": f"{meta['name']}.{uuid.uuid4().hex[:16]}"},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "turnout.dev/operator",
            "reportingInstance": self._instance[:128],
            "type": event_type,
            "reason": reason,
            "action": action,
            "note": note[:MAX_NOTE],
            "regarding": {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
        }
        try:
            await self._api.request("POST", EVENTS.path(meta["namespace"]), body=body)
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("event %s about %s/%s: %s", reason, meta["namespace"], meta["name"], error)

    def _was_said(self, what: tuple[str, str, str]) -> bool:
        now = self._clock()
        if now - self._said.get(what, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return True
        self._said[what] = now
        self._said.move_to_end(what)
        while len(self._said) > MAX_REMEMBERED:
            self._said.popitem(last=False)
        return False
