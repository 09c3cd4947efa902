"""The API server is the judge of what the operator makes, also of what the local cluster's nodes can't run.

Image volumes need containerd 2.1 or CRI-O, and Triton an image of several gigabytes: neither is here, so these objects
are only asked about.
"""

import json

import pytest

from turnout_operator.api.model_deployment import ModelDeployment
from turnout_operator.plan.decision import Observed
from turnout_operator.plan.drift import contains
from turnout_operator.plan.model_deployment import decide
from turnout_operator.plan.settings import PlanSettings

DIGEST = "sha256:" + "a" * 64
TRITON = {"image": "nvcr.io/nvidia/tritonserver:25.10-py3", "sharedMemory": True, "args": ["--log-verbose=1"]}
BATCH = {"input": "pvc://data/in/", "output": "pvc://data/out/", "shards": 3, "deadline": "1h"}
SPECS = {
    "plain": {},
    "image": {"bundle": {"uri": "image://registry.example/b:7", "digest": DIGEST, "secretRef": {"name": "registry"}}},
    "oci": {"bundle": {"uri": "oci://registry.example/b:7", "digest": DIGEST, "secretRef": {"name": "registry"}}},
    "s3": {"bundle": {"uri": "s3://models/b/", "digest": DIGEST, "secretRef": {"name": "store"}}},
    "triton": {"modelServer": {"triton": {**TRITON, "resources": {"gpu": {"count": 1}}}}},
    "triton-claim": {"modelServer": {"triton": {**TRITON, "modelRepository": "pvc://models/triton"}}},
    "guarded": {"serving": {"access": "GatewayOnly"}},
    "batch": {"mode": "batch", "batch": {**BATCH, "secretRef": {"name": "store"}}},
    "schedule": {"mode": "batch", "batch": {**BATCH, "schedule": "@daily", "timeZone": "Europe/Berlin"}},
    "batch-triton": {"mode": "batch", "batch": BATCH, "modelServer": {"triton": TRITON}},
}


@pytest.mark.parametrize("name", SPECS)
def test_the_api_server_takes_all_objects_as_they_are(namespace, name):
    md = ModelDeployment.model_validate(
        {
            "metadata": {"name": name, "namespace": namespace.name, "uid": "8d4a6f0c-3b0a-4f0e-9f0e-0d6a7c1b2e3f"},
            "spec": {"bundle": {"uri": "configmap://b", "digest": DIGEST}, **SPECS[name]},
        }
    )
    decision = decide(md, Observed(gateway_ca="PEM"), PlanSettings("runtime:1"), "2026-01-01T00:00:00Z")
    assert len(decision.manifests) >= 3
    for manifest in decision.manifests:
        text = json.dumps(manifest).encode()
        how = ("--server-side", "--dry-run=server", "--field-manager=turnout", "--validate=strict", "-o", "json")
        taken = json.loads(namespace.run("apply", *how, "-f", "-", stdin=text))
        # Every field was kept as it is: what has been applied is never taken for drift.
        assert contains(taken, manifest), manifest["kind"]
