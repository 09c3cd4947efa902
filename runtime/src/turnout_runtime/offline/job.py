"""What an offline run is told, and what it gives its processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from turnout_runtime.bundle.source import Bundle
from turnout_runtime.config import Batch, Batching, FactConfig, ModelServer
from turnout_runtime.offline.answers import Answers
from turnout_runtime.offline.parts import Output
from turnout_runtime.offline.rows import Reader
from turnout_runtime.offline.snapshots import Snapshot
from turnout_runtime.offline.tables import Table

WINDOW = 256
"""Rows that are answered at once, so that their model runs are shared."""


@dataclass(frozen=True, slots=True)
class Job:
    """One shard of a run. `facts` give what stands in for a missing value, and which facts callers send."""

    bundle: Bundle
    revision: str
    batch: Batch
    facts: Mapping[str, FactConfig] = field(default_factory=dict)
    batching: Batching | None = None
    model_server: ModelServer | None = None
    shard: int = 0
    features: bool = False

    @property
    def caller_facts(self) -> dict[str, str]:
        """Facts that come with the request, and their names in its feature_refs."""
        callers = {name: fact.caller for name, fact in self.facts.items() if name not in self.batch.facts}
        return {name: caller.field or name for name, caller in callers.items() if caller is not None}


@dataclass(frozen=True, slots=True)
class Work:
    """What a process needs to answer parts: all of it can be sent to another process of this machine."""

    job: Job
    table: Table
    reader: Reader
    answers: Answers
    snapshots: Mapping[str, Snapshot]
    output: Output
    started_ns: int
    scratch: Path
