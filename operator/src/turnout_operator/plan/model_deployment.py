"""What a ModelDeployment needs: which revisions run, how many pods each, what goes, what its status says."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.plan.failures import find_failure
from turnout_operator.plan.model_deployment_status import RevisionState, status_of
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import Manifest, manifests

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of one ModelDeployment's surroundings.

    `config_maps` and `deployments` are by revision name, `pods` too; `referenced` are the revisions that a
    RoutingPolicy pins or that a gateway may still send traffic to.
    """

    config_maps: Mapping[str, Object] = field(default_factory=dict)
    deployments: Mapping[str, Object] = field(default_factory=dict)
    pods: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    referenced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """Objects to apply, names of revisions to delete whole, and the status to report."""

    manifests: tuple[Manifest, ...]
    pruned: tuple[str, ...]
    status: dict[str, Any]


def decide(md: ModelDeployment, observed: Observed, settings: PlanSettings, now: str) -> Decision:
    """The pure heart of the ModelDeployment's reconcile. `now` is RFC 3339."""
    revisions = _readable(observed.config_maps)
    wanted = Revision.wanted(md, settings)
    latest = revisions.setdefault(wanted.name, wanted)
    latest_ready = _latest_ready(md, latest, revisions, observed)
    before = md.status.latest_ready_revision if md.status else None
    active = {latest.name, latest_ready, before} | observed.referenced
    kept, pruned = _keep(revisions, active, md.spec.revision_history)
    orphans = observed.deployments.keys() - observed.config_maps.keys() - active
    states = tuple(_state(revision, md, active, observed) for revision in kept)
    return Decision(
        manifests=tuple(
            manifest
            for state in states
            for manifest in manifests(
                md, state.revision, state.replicas, settings, recorded=state.revision.name in observed.config_maps
            )
        ),
        pruned=(*pruned, *sorted(orphans)),
        status=status_of(md, latest.name, latest_ready, states, now),
    )


def _readable(config_maps: Mapping[str, Object]) -> dict[str, Revision]:
    """The stored revisions. One that another version of the operator wrote and this one can't read is left as it is."""
    revisions = {}
    for name, config_map in config_maps.items():
        with contextlib.suppress(ValueError, KeyError):
            revisions[name] = Revision.stored(dict(config_map))
    return revisions


def serves_fully(deployment: Object | None, replicas: int) -> bool:
    """True when the Deployment has rolled out and all `replicas` pods are Ready."""
    if deployment is None:
        return False
    status = deployment.get("status", {})
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        and deployment["spec"]["replicas"] == replicas
        and status.get("updatedReplicas", 0) >= replicas
        and status.get("readyReplicas", 0) >= replicas
    )


def _latest_ready(
    md: ModelDeployment, latest: Revision, revisions: Mapping[str, Revision], observed: Observed
) -> str | None:
    """The revision that serves: the latest once it is Ready, until then the one that served before."""
    if serves_fully(observed.deployments.get(latest.name), md.spec.replicas):
        return latest.name
    before = md.status.latest_ready_revision if md.status else None
    return before if before in revisions else _newest_with_ready_pods(revisions, observed)


def _newest_with_ready_pods(revisions: Mapping[str, Revision], observed: Observed) -> str | None:
    ready = [
        revision
        for name, revision in revisions.items()
        if observed.deployments.get(name, {}).get("status", {}).get("readyReplicas", 0) > 0
    ]
    return max(ready, key=lambda revision: revision.created_at).name if ready else None


def _keep(
    revisions: Mapping[str, Revision], active: set[str | None], history: int
) -> tuple[list[Revision], tuple[str, ...]]:
    """Active revisions and the newest `history` retired ones, oldest first; and the names of the rest."""
    ordered = sorted(revisions.values(), key=lambda revision: (revision.created_at or "9", revision.name))
    retired = [revision.name for revision in ordered if revision.name not in active]
    pruned = tuple(retired[: max(0, len(retired) - history)])
    return [revision for revision in ordered if revision.name not in pruned], pruned


def _state(revision: Revision, md: ModelDeployment, active: set[str | None], observed: Observed) -> RevisionState:
    deployment = observed.deployments.get(revision.name)
    pods = observed.pods.get(revision.name, ())
    is_active = revision.name in active
    return RevisionState(
        revision=revision,
        replicas=md.spec.replicas if is_active else 0,
        active=is_active,
        deployment=deployment,
        pods=pods,
        failure=find_failure(pods, deployment, revision.spec) if is_active else None,
    )
