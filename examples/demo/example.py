"""Puts examples/01-flight-delay on the cluster the way its README says, and waits for it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from flight_delay import manifests
from flight_delay.bundles import Bundle
from flight_delay.facts import redis_commands, tables

from demo.shell import CommandFailed, kubectl

NAMESPACE = manifests.NAMESPACE
POLICY = "flight-delay"
MODELS = ("flight-delay", "flight-delay-challenger")
ARMS = ("main", "challenger")
WAIT = ("-n", NAMESPACE, "--timeout", "120s")


def apply(bundles: Sequence[Bundle], images: manifests.Images) -> str:
    """Apply the rendered manifests and wait until the facts' store, both models and the split are ready."""
    with tempfile.TemporaryDirectory() as folder:
        manifests.write(bundles, Path(folder), images)
        # A weight that was patched by hand belongs to that patch: an earlier demo's must not stop this one.
        kubectl("apply", "--server-side", "--force-conflicts", "-f", folder)
    for store in ("redis", "plane-registry"):
        kubectl("rollout", "status", f"deployment/{store}", *WAIT)
    for model in MODELS:
        _wait_for(f"modeldeployment/{model}")
    for arm, model in enumerate(MODELS):
        _wait_for_revision(arm, model)
    _wait_for(f"routingpolicy/{POLICY}")
    return f"{len(MODELS)} ModelDeployments, 1 RoutingPolicy: Ready"


def _wait_for(name: str) -> None:
    # An object that was Ready before stays so until the operator has seen the new spec: wait for that first.
    generation = kubectl("get", name, "-n", NAMESPACE, "-o", "jsonpath={.metadata.generation}")
    kubectl("wait", f"--for=jsonpath={{.status.observedGeneration}}={generation}", name, *WAIT)
    try:
        kubectl("wait", "--for=condition=Ready", name, *WAIT)
    except CommandFailed as error:
        why = "{.status.conditions[?(@.type=='Ready')].message}"
        raise RuntimeError(f"{error}\n{kubectl('get', name, '-n', NAMESPACE, '-o', f'jsonpath={why}')}") from error


def _wait_for_revision(arm: int, model: str) -> None:
    # An older revision leaves when the policy has moved on, and takes its part of the prediction log along.
    revision = kubectl(
        "get", f"modeldeployment/{model}", "-n", NAMESPACE, "-o", "jsonpath={.status.latestReadyRevision}"
    )
    kubectl("wait", f"--for=jsonpath={{.status.arms[{arm}].revision}}={revision}", f"routingpolicy/{POLICY}", *WAIT)


def load_facts() -> str:
    """Fill Redis; says with how many keys."""
    facts = tables()
    commands = b"".join(redis_commands(facts["weather"]))
    reply = kubectl("exec", "-i", "-n", NAMESPACE, "deploy/redis", "--", "redis-cli", "--pipe", stdin=commands)
    if "errors: 0" not in reply:
        raise RuntimeError(f"redis-cli --pipe: {reply.strip()}")
    return f"{len(facts['weather']):,} hours of weather in Redis, {len(facts['plane']):,} planes in the registry"
