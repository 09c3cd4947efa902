"""What a ModelDeployment needs: which revisions run, how many pods each, what goes, what its status says."""

from collections.abc import Mapping, Sequence

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.plan.batch import decide_batch
from turnout_operator.plan.decision import Decision, Object, Observed, Obsolete
from turnout_operator.plan.failures import find_failure
from turnout_operator.plan.history import keep, readable
from turnout_operator.plan.model_deployment_status import RevisionState, status_of
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.volumes import gateway_ca_name
from turnout_operator.plan.workload import Manifest, gateway_ca, manifests


def decide(md: ModelDeployment, observed: Observed, settings: PlanSettings, now: str) -> Decision:
    """The pure heart of the ModelDeployment's reconcile. `now` is RFC 3339."""
    if md.spec.mode == "batch":
        return decide_batch(md, observed, settings, now)
    return _decide_online(md, observed, settings, now)


def _decide_online(md: ModelDeployment, observed: Observed, settings: PlanSettings, now: str) -> Decision:
    revisions = readable(observed.config_maps)
    wanted = Revision.wanted(md, settings)
    latest = revisions.setdefault(wanted.name, wanted)
    latest_ready = _latest_ready(md, latest, revisions, observed)
    before = md.status.latest_ready_revision if md.status else None
    active = {latest.name, latest_ready, before} | observed.referenced
    kept, pruned = keep(revisions, active, md.spec.revision_history)
    orphans = observed.deployments.keys() - observed.config_maps.keys() - active
    states = tuple(_state(revision, md, active, observed) for revision in kept)
    trusted, untrusted = _trust(md, kept, observed)
    return Decision(
        manifests=(
            *trusted,
            *(
                manifest
                for state in states
                for manifest in manifests(
                    md, state.revision, state.replicas, settings, recorded=state.revision.name in observed.config_maps
                )
            ),
        ),
        pruned=(*pruned, *sorted(orphans)),
        status=status_of(md, latest.name, latest_ready, states, now, observed.log),
        obsolete=untrusted,
    )


def _trust(
    md: ModelDeployment, revisions: Sequence[Revision], observed: Observed
) -> tuple[list[Manifest], tuple[Obsolete, ...]]:
    """The ConfigMap by which guarded pods know the gateways: made while a revision needs it, else removed."""
    if any(revision.spec.guarded for revision in revisions):
        return [gateway_ca(md, observed.gateway_ca)], ()
    return [], ((Obsolete("ConfigMap", gateway_ca_name(md.metadata.name)),) if observed.trusts_gateways else ())


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
