"""A cache of API objects with indexes, fed by an informer and by the operator's own writes."""

from collections import defaultdict
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


class Store:
    """Objects by key and by named indexes; tells its subscriber of every change, the operator's own writes included.

    An older version never replaces a newer one.

    Resource versions are compared as integers (KEP-5504, Kubernetes 1.35).
    """

    def __init__(
        self, indexes: Mapping[str, Index] | None = None, trim: Callable[[Object], Object] | None = None
    ) -> None:
        self._objects: dict[Key, Object] = {}
        self._indexes = dict(indexes or {})
        self._indexed: defaultdict[tuple[str, Key], set[Key]] = defaultdict(set)
        self._trim = trim
        self._subscriber: Callable[[Object], None] | None = None

    def subscribe(self, subscriber: Callable[[Object], None]) -> None:
        """Call `subscriber` with every object that came, changed or (its last version) went."""
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
        """Take an object in; False when what is cached is as new or newer."""
        key = key_of(obj)
        old = self._objects.get(key)
        if old is not None and not _newer(obj, old):
            return False
        self._unindex(key, old)
        obj = self._trim(obj) if self._trim else obj
        self._objects[key] = obj
        for group in self._groups(obj):
            self._indexed[group].add(key)
        self._tell(obj)
        return True

    def remove(self, key: Key) -> Object | None:
        """Forget an object; returns what was cached."""
        old = self._objects.pop(key, None)
        self._unindex(key, old)
        if old is not None:
            self._tell(old)
        return old

    def _tell(self, obj: Object) -> None:
        if self._subscriber:
            self._subscriber(obj)

    def _groups(self, obj: Object) -> Iterator[tuple[str, Key]]:
        return ((name, group) for name, index in self._indexes.items() for group in index(obj))

    def _unindex(self, key: Key, old: Object | None) -> None:
        for group in self._groups(old) if old is not None else ():
            self._indexed[group].discard(key)
            if not self._indexed[group]:
                del self._indexed[group]


def _newer(new: Object, old: Object) -> bool:
    if new["metadata"].get("uid") != old["metadata"].get("uid"):
        return True
    return int(new["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])
