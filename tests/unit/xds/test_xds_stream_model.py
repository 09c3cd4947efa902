"""Any interleaving of changes, slow answers, refusals, reconnects and restarts keeps the stream's promises."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.xds.builders import DRAIN, HOST, laddered, route, shadowed
from tests.unit.xds.model_envoy import ModelEnvoy, is_bad

from turnout_operator.plan.routes import PolicyKey, PolicyRoute
from turnout_operator.xds.resources import Kind
from turnout_operator.xds.stream import StreamState
from turnout_operator.xds.table import Table

NAMES = st.sampled_from(["p", "q", "r"])
REVISIONS = ["a", "b", "c", "d"]
SPLITS = st.lists(st.sampled_from(REVISIONS), min_size=1, max_size=3, unique=True)
LADDERS = st.lists(st.sampled_from(REVISIONS), max_size=2, unique=True)
VERSIONS = st.sampled_from(["v1", "v2", "v3", "bad1", "bad2"])


class StreamMachine(RuleBasedStateMachine):
    """One server, one Envoy, and a wire between them that delivers when a rule says so."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.routes: dict[str, PolicyRoute] = {}
        self.live = {"a", "b"}
        self.envoy = ModelEnvoy()
        self._restart()

    def _restart(self) -> None:
        self.table = Table(8080)
        for policy in self.routes.values():
            self.table.set_route(policy)
        for revision in self.live:
            self.table.set_endpoints(f"demo/{revision}", [HOST])
        self._connect()

    def _connect(self) -> None:
        self.stream = StreamState(self.table, DRAIN)
        self.envoy.connect(self.stream)

    @initialize()
    def serve(self) -> None:
        """Start from a gateway that serves."""
        self.set_route("p", ["a", "b"], "v1", False, [], 1, [])
        self.exchange()

    @rule(
        name=NAMES,
        revisions=SPLITS,
        version=VERSIONS,
        idle=st.booleans(),
        rungs=LADDERS,
        limit=st.integers(1, 2),
        shadows=LADDERS,
    )
    def set_route(
        self,
        name: str,
        revisions: list[str],
        version: str,
        idle: bool,
        rungs: list[str],
        limit: int,
        shadows: list[str],
    ) -> None:
        share = 10_000 // len(revisions)
        weights = dict.fromkeys(revisions, share)
        weights[revisions[0]] += 10_000 - sum(weights.values())
        if idle and len(revisions) > 1:
            weights[revisions[0]], weights[revisions[1]] = 0, weights[revisions[0]] + weights[revisions[1]]
        self.routes[name] = shadowed(laddered(route(name, weights, version=version), rungs, limit), shadows, limit)
        self.stream.mark(self.table.set_route(self.routes[name]))

    @rule(name=NAMES)
    def delete_route(self, name: str) -> None:
        self.routes.pop(name, None)
        self.stream.mark(self.table.delete_route(PolicyKey("demo", name)))

    @rule(revision=st.sampled_from(REVISIONS), up=st.booleans())
    def set_endpoints(self, revision: str, up: bool) -> None:
        (self.live.add if up else self.live.discard)(revision)
        self.stream.mark(self.table.set_endpoints(f"demo/{revision}", [HOST] if up else []))

    @rule(count=st.integers(1, 5))
    def pull(self, count: int) -> None:
        for _ in range(count):
            self.envoy.pull(self.now)

    @rule(count=st.integers(1, 5))
    def process(self, count: int) -> None:
        for _ in range(count):
            self.envoy.process()

    @rule()
    def exchange(self) -> None:
        """All that is to be said now."""
        while self.envoy.pull(self.now) or self.envoy.process():
            pass

    @rule(seconds=st.sampled_from([0.5, 5.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def reconnect(self) -> None:
        self._connect()

    @rule()
    def restart_server(self) -> None:
        self._restart()

    @invariant()
    def acked_is_held(self) -> None:
        for name in self.routes:
            if self.stream.acked(f"demo/{name}"):
                desired = self.table.get(Kind.ROUTE, f"demo/{name}")
                held = self.envoy.held[Kind.ROUTE][f"demo/{name}"]
                assert desired is not None
                assert held.version == desired.version

    def teardown(self) -> None:
        """With endpoints everywhere and time to drain, all that is good is held and all that is unwanted is gone."""
        for revision in REVISIONS:
            self.set_endpoints(revision, True)
        for _ in range(4):
            self.exchange()
            self.now += DRAIN
        self._assert_converged()
        super().teardown()

    def _assert_converged(self) -> None:
        pinned = set()
        for name in self.table.names(Kind.ROUTE):
            desired, held = self.table.get(Kind.ROUTE, name), self.envoy.held[Kind.ROUTE].get(name)
            assert desired is not None
            if is_bad(desired):
                assert self.stream.error(name) == f"refused {name}"
                pinned.update(held.uses if held else ())
            else:
                assert self.stream.acked(name), f"{name} is stuck"
                assert self.stream.error(name) is None
        assert set(self.envoy.held[Kind.SCOPE]) == set(self.table.names(Kind.SCOPE))
        assert set(self.envoy.held[Kind.ROUTE]) <= set(self.table.names(Kind.ROUTE))
        extra = set(self.envoy.held[Kind.CLUSTER]) - set(self.table.names(Kind.CLUSTER)) - pinned
        assert not extra or pinned, f"clusters {extra} stayed"


StreamMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestStreamModel = StreamMachine.TestCase
