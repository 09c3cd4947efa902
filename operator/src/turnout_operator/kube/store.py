"""A cache of API objects with indexes, fed by an informer and by the operator's own writes."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from turnout_operator.kube.resources import Object


class Key(NamedTuple):
    """Namespace and name of an object."""

    namespace: str
    name: str


def key_of(obj: Object) -> Key:
    """The key of an API object."""
    meta = obj["metadata"]
    return Key(meta.get("namespace", ""), meta["name"])


Index = Callable[[Object], Iterable[Key]]
Subscriber = Callable[[Object | None, Object | None], None]
REMEMBERED_DELETIONS = 10_000


class Store:
    """Objects by key and by named indexes; tells its subscriber of every change, the operator's own writes included.

    An older version never replaces a newer one, and a deleted object never comes back, in whatever order events and
    answers to writes arrive. Resource versions are compared as integers (KEP-5504, Kubernetes 1.35).
    """

    def __init__(
        self, indexes: Mapping[str, Index] | None = None, trim: Callable[[Object], Object] | None = None
    ) -> None:
        self._objects: dict[Key, Object] = {}
        self._indexes = dict(indexes or {})
        self._indexed: defaultdict[tuple[str, Key], set[Key]] = defaultdict(set)
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self._trim = trim
        self._subscriber: Subscriber | None = None

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber(new, old)` after every change; None stands for an object that is not there."""
        self._subscriber = subscriber

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Object]:
        return iter(self._objects.values())

    def get(self, key: Key) -> Object | None:
        """The cached object, or None."""
        return self._objects.get(key)

    def keys(self) -> Iterable[Key]:
        """All keys."""
        return self._objects.keys()

    def find(self, index: str, key: Key) -> list[Object]:
        """The objects for which the index function gave `key`, sorted by their own key."""
        return [self._objects[found] for found in sorted(self._indexed.get((index, key), ()))]

    def put(self, obj: Object) -> bool:
        """Take an object in; False when what is cached is as new or newer, or when it is known to be deleted."""
        key, old = key_of(obj), self._objects.get(key_of(obj))
        if obj["metadata"].get("uid") in self._deleted or (old is not None and version_of(obj) <= version_of(old)):
            return False
        self._unindex(key, old)
        obj = self._trim(obj) if self._trim else obj
        self._objects[key] = obj
        for group in self._groups(obj):
            self._indexed[group].add(key)
        self._tell(obj, old)
        return True

    def delete(self, obj: Object) -> None:
        """The object (its last version) was deleted; another of the same name that is cached stays."""
        self._bury(obj)
        old = self._objects.get(key_of(obj))
        if old is not None and old["metadata"].get("uid") == obj["metadata"].get("uid"):
            self._remove(key_of(obj))

    def retain(self, listed: Iterable[Key], version: int) -> None:
        """Forget what a whole listing at `version` did not contain."""
        for key in self._objects.keys() - set(listed):
            if version_of(self._objects[key]) <= version:
                self._bury(self._objects[key])
                self._remove(key)

    def _remove(self, key: Key) -> None:
        old = self._objects.pop(key)
        self._unindex(key, old)
        self._tell(None, old)

    def _bury(self, obj: Object) -> None:
        self._deleted[obj["metadata"].get("uid", "")] = None
        while len(self._deleted) > REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)

    def _tell(self, new: Object | None, old: Object | None) -> None:
        if self._subscriber:
            self._subscriber(new, old)

    def _groups(self, obj: Object) -> Iterator[tuple[str, Key]]:
        return ((name, group) for name, index in self._indexes.items() for group in index(obj))

    def _unindex(self, key: Key, old: Object | None) -> None:
        for group in self._groups(old) if old is not None else ():
            self._indexed[group].discard(key)
            if not self._indexed[group]:
                del self._indexed[group]


def version_of(obj: Object) -> int:
    """The resource version of an object or a listing."""
    return int(obj["metadata"]["resourceVersion"])
