"""What a ModelDeployment's reconcile looks at, and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from turnout_operator.plan.log_delivery import LogSeen

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of one ModelDeployment's surroundings.

    `config_maps`, `deployments`, `cron_jobs`, `jobs` and `pods` are by revision name; `referenced` are the revisions
    that a RoutingPolicy pins or that a gateway may still send traffic to. `gateway_ca` is the authority of the
    gateways' certificate, PEM; `trusts_gateways` tells whether the ConfigMap with it exists. `log` is what the pods
    say of their logs, None while they have not been asked.
    """

    config_maps: Mapping[str, Object] = field(default_factory=dict)
    deployments: Mapping[str, Object] = field(default_factory=dict)
    pods: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    referenced: frozenset[str] = frozenset()
    cron_jobs: Mapping[str, Object] = field(default_factory=dict)
    jobs: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    gateway_ca: str = ""
    trusts_gateways: bool = False
    log: LogSeen | None = None


class Obsolete(NamedTuple):
    """One object that goes though its revision stays."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Objects to apply, names of revisions to delete whole, single objects to delete, and the status to report."""

    manifests: tuple[dict[str, Any], ...]
    pruned: tuple[str, ...]
    status: dict[str, Any]
    obsolete: tuple[Obsolete, ...] = ()
