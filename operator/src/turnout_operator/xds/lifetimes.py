"""When a cluster may leave an Envoy: after no route table there can use it, and a drain for requests under way."""

from collections.abc import Iterable


class Lifetimes:
    """Counts, on one stream, the route tables that were ACKed or are in flight by the clusters that they use.

    A route table from before the stream, of a version unknown to us, may use any cluster: none leaves until it is
    replaced or gone.
    """

    def __init__(self, drain_seconds: float) -> None:
        self._drain = drain_seconds
        self._uses: dict[str, int] = {}
        self._unknown: set[str] = set()
        self._due: dict[str, float] = {}

    def use(self, clusters: Iterable[str]) -> None:
        """One more route table uses `clusters`."""
        for cluster in clusters:
            self._uses[cluster] = self._uses.get(cluster, 0) + 1

    def release(self, clusters: Iterable[str]) -> list[str]:
        """One route table less; returns the clusters that none uses now."""
        freed = []
        for cluster in clusters:
            self._uses[cluster] -= 1
            if not self._uses[cluster]:
                del self._uses[cluster]
                freed.append(cluster)
        return freed

    def add_unknown(self, route: str) -> None:
        """The Envoy holds a version of `route` that we can't read."""
        self._unknown.add(route)

    def settle(self, route: str) -> bool:
        """`route` was replaced or is gone; true if it was the last unknown one."""
        known = route not in self._unknown
        self._unknown.discard(route)
        return not known and not self._unknown

    def keep(self, cluster: str) -> None:
        """The cluster is wanted again."""
        self._due.pop(cluster, None)

    def may_remove(self, cluster: str, now: float) -> bool:
        """Whether an unwanted cluster's drain is over; the first call after its last use starts the drain."""
        if cluster in self._uses or self._unknown:
            self._due.pop(cluster, None)
            return False
        return self._due.setdefault(cluster, now + self._drain) <= now

    def due(self, now: float) -> list[str]:
        """Clusters whose drain is over at `now`."""
        return [cluster for cluster, due in self._due.items() if due <= now] if self._due else []

    def deadline(self) -> float | None:
        """When the next drain ends."""
        return min(self._due.values(), default=None)
