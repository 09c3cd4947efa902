"""Where the sketches begin, and what costs nothing to import while there are none."""

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from turnout_runtime.loading import LoadedWorkflow
from turnout_runtime.log.record import Identity

if TYPE_CHECKING:
    from turnout_runtime.serve.drift.online import Online
    from turnout_runtime.sketches.document import Sketches


def begin_sketches(identity: Identity, loaded: LoadedWorkflow, hidden: Collection[str] = ()) -> "Online":
    """Sketches for a workflow that is about to serve, but of what is `hidden` in its log. Blocks: it imports numpy,
    where the workflow has not.
    """
    from turnout_runtime.serve.drift.online import Online

    return Online(identity, loaded.workflow.feature_names, loaded.reference, hidden=hidden)


class DriftMetrics(Collector):
    """Compares the sketches with the reference when Prometheus asks."""

    def __init__(self, view: "Callable[[], tuple[Sketches, Sketches] | None]") -> None:
        """`view` gives the sketches of the last hour, and the reference's; None before there are any."""
        self._view = view

    def describe(self) -> Iterator[Metric]:
        """Nothing: there is no need to look for families of the same name."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Render the families."""
        if (view := self._view()) is not None:
            from turnout_runtime.serve.drift.metrics import drift_metrics

            yield from drift_metrics(*view)
