"""Watches how the pods' logs do, and says which ModelDeployment's condition would be another."""

import time
from collections.abc import Callable, Iterator, Mapping

from pydantic import ValidationError

from turnout_operator.api.prediction_log import PredictionLog
from turnout_operator.controller.caches import Caches, owner_of
from turnout_operator.controller.scraper import Samples, Target
from turnout_operator.kube.resources import Object
from turnout_operator.kube.store import Key, key_of
from turnout_operator.plan.failures import is_ready
from turnout_operator.plan.log_delivery import LogSeen, judge
from turnout_operator.plan.log_shipper import SHIPPER
from turnout_operator.plan.log_state import RUNTIME_NAMES, SHIPPER_NAMES, PodLog
from turnout_operator.plan.places import ADMIN_PORT, SHIPPER_PORT


class LogWatch:
    """A consumer of the scraper. `changed` is called with a ModelDeployment whose condition is to be written."""

    def __init__(
        self, caches: Caches, changed: Callable[[Key], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._caches = caches
        self._changed = changed
        self._clock = clock
        self._pods: dict[str, PodLog] = {}
        self._owners: dict[str, Key] = {}
        self._logs: dict[Key, PredictionLog] = {}
        self._seen: dict[Key, LogSeen | None] = {}

    def seen(self, key: Key) -> LogSeen | None:
        """What a ModelDeployment's pods said of their logs; None while that is not known."""
        return self._seen.get(key)

    def targets(self) -> Iterator[Target]:
        """All ready pods whose ModelDeployment logs."""
        known, self._pods, self._owners = self._pods, {}, {}
        self._logs = {key_of(md): log for md in self._caches.model_deployments if (log := _log(md))}
        for pod in self._caches.pods:
            for owner in owner_of(pod) if is_ready(pod) and _address(pod) else ():
                if owner not in self._logs:
                    continue
                uid, ships = pod["metadata"]["uid"], _ships(pod)
                self._owners[uid] = owner
                self._pods[uid] = known.get(uid) or PodLog(pod["metadata"]["name"], ships=ships)
                yield Target(uid, _urls(_address(pod), ships=ships))

    def take(self, uid: str, found: Mapping[str, Samples | None]) -> None:
        """One pod's answers: the runtime's, and those of the container that ships."""
        runtime, *shipper = found.values()
        if uid in self._pods:
            self._pods[uid] = self._pods[uid].after(self._clock(), runtime, shipper[0] if shipper else ())

    def finish(self) -> None:
        """Judge every ModelDeployment anew."""
        pods: dict[Key, list[PodLog]] = {}
        for uid, owner in self._owners.items():
            pods.setdefault(owner, []).append(self._pods[uid])
        before, self._seen = self._seen, {}
        for key, found in pods.items():
            self._seen[key] = judge(self._logs[key], found, self._clock())
        for key, seen in self._seen.items():
            if seen is not None and seen != before.get(key):
                self._changed(key)


def _log(md: Object) -> PredictionLog | None:
    if md["spec"].get("mode") == "batch":
        return None
    try:
        log = PredictionLog.model_validate(md["spec"].get("predictionLog") or {})
    except ValidationError:
        return None
    return log if log.enabled else None


def _address(pod: Object) -> str:
    return str(pod["status"].get("podIP") or "")


def _ships(pod: Object) -> bool:
    return any(status["name"] == SHIPPER for status in pod["status"].get("initContainerStatuses", ()))


def _urls(address: str, *, ships: bool) -> dict[str, tuple[str, ...]]:
    host = f"[{address}]" if ":" in address else address
    urls = {f"http://{host}:{ADMIN_PORT}/metrics": RUNTIME_NAMES}
    return urls | ({f"http://{host}:{SHIPPER_PORT}/metrics": SHIPPER_NAMES} if ships else {})
