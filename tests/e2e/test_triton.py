"""A real Triton as the sidecar of a pod, online and in a batch, and what is said when it can't run."""

import json

import pytest
from tests.cluster import images, recipes
from tests.cluster.__main__ import cluster, engine
from tests.cluster.paths import State
from tests.e2e.support.http import post
from tests.e2e.support.kube import Namespace, eventually
from tests.e2e.support.objects import arm, bundle_config_map, model_deployment, pack, routing_policy
from tests.e2e.support.volumes import claim, python

WRITE = "open('/numbers/in.csv', 'w').write('a,b,c,d\\n1,2,3,4\\n5,6,7,8\\n')"
READ = "import duckdb; print(duckdb.sql(\"SELECT list(score) FROM '/numbers/out.csv'\").fetchall()[0][0])"


@pytest.fixture(scope="module")
def image(gateway: str) -> str:
    """The image of a Triton, built and loaded."""
    target = cluster()
    return images.ensure(engine(target), target, State(), (recipes.TRITON,), record=False)["triton"]


@pytest.fixture(scope="module")
def digest(namespace: Namespace) -> str:
    """The bundle with a model repository, in a ConfigMap."""
    archive, digest = pack("triton")
    namespace.apply(bundle_config_map("triton", archive))
    return digest


def served(name: str, digest: str, image: str, **spec):
    server = {"image": image, "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}, **spec.pop("triton", {})}
    return model_deployment(name, digest, uri="configmap://triton", modelServer={"triton": server}, **spec)


@pytest.mark.parametrize("shared", [False, True])
def test_a_model_of_the_bundle_runs_on_the_triton_beside_it(namespace, gateway, image, digest, shared):
    name = f"sum-{shared}".lower()
    namespace.apply(
        served(name, digest, image, triton={"sharedMemory": shared}), routing_policy(name, arm("main", name))
    )
    namespace.wait_ready("md", name, 120)
    namespace.wait_ready("rp", name)
    url = f"{gateway}/v1/{namespace.name}/{name}/predict"
    status, answer = post(url, {"context": {"a": 1, "b": 2, "c": 3, "d": 4.5}})
    assert (status, answer.get("score")) == (200, 10.5), answer
    (pod,) = namespace.list("pods", f"serving.turnout.dev/model-deployment={name}")
    assert [(each["name"], each["ready"]) for each in pod["status"]["initContainerStatuses"]] == [("triton", True)]


def test_a_batch_ends_with_its_triton(namespace, image, digest):
    with claim(namespace, "numbers") as data:
        python(namespace, "numbers-in", WRITE, claims=[data])
        batch = {"input": "pvc://numbers/in.csv", "output": "pvc://numbers/out.csv", "processes": 1}
        namespace.apply(served("sums", digest, image, mode="batch", batch=batch))
        assert namespace.wait_ready("md", "sums", 120)["status"]["batch"]["phase"] == "Succeeded"
        assert json.loads(python(namespace, "numbers-out", READ, claims=[data])) == [10.0, 26.0]


def test_a_triton_that_ends_says_why(namespace, image, digest):
    namespace.apply(served("bad", digest, image, triton={"args": ["--no-such-option"]}))
    ready = namespace.wait_condition("md", "bad", "Ready", "ModelServerFailed", 90)
    assert "triton ended with exit code 1: " in ready["message"]


def test_an_image_of_triton_that_is_not_there_is_named(namespace, image, digest):
    wrong = {"image": "turnout.local/missing-triton:1", "imagePullPolicy": "Never"}
    namespace.apply(served("missing", digest, image, triton=wrong))

    def named() -> None:
        ready = namespace.condition("md", "missing", "Ready")
        assert ready.get("reason") == "ImagePullFailed"
        assert "spec.modelServer.triton.image" in ready["message"]

    eventually(named, 60)
