"""What a ModelDeployment offers to policies, as far as its own object tells. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from turnout_operator.api.routing_policy import RoutingPolicy
from turnout_operator.api.serving import Serving
from turnout_operator.plan.arms import Target
from turnout_operator.plan.routing_policy import DEFAULT_TIMEOUT_SECONDS

_NEWEST = "-newest"  # no revision's name ends so: they have 8 characters there


def timeout_of(deployment: Mapping[str, Any]) -> float:
    """How long a pod may take for a request, waiting included; the default for a spec that can't be read."""
    try:
        serving = Serving.model_validate(deployment["spec"].get("serving") or {})
    except ValidationError:
        return DEFAULT_TIMEOUT_SECONDS
    return serving.timeout.seconds + serving.queue.max_wait.seconds


def target_of(deployment: Mapping[str, Any]) -> Target:
    """By the object's status, which the operator writes."""
    status = deployment.get("status") or {}
    revisions = status.get("revisions") or ()
    return Target(
        latest_ready=status.get("latestReadyRevision"),
        revisions=frozenset(each["name"] for each in revisions),
        ready_revisions=frozenset(each["name"] for each in revisions if each.get("readyReplicas")),
        timeout_seconds=timeout_of(deployment),
        batch=deployment["spec"].get("mode") == "batch",
    )


def assumed(policy: RoutingPolicy, name: str, deployment: Mapping[str, Any] | None) -> Target:
    """A ModelDeployment of which no status is known: everything that the policy wants of it is taken as ready."""
    held = frozenset(arm.revision for arm in policy.spec.arms if arm.model_deployment == name and arm.revision)
    seconds = timeout_of(deployment) if deployment else DEFAULT_TIMEOUT_SECONDS
    batch = deployment is not None and deployment["spec"].get("mode") == "batch"
    return Target(name + _NEWEST, held, held, seconds, batch=batch)


def known(revision: str) -> str | None:
    """The revision, unless it only stands for the one that `assumed` doesn't know."""
    return None if revision.endswith(_NEWEST) else revision
