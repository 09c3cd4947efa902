"""GPUs are given out by the scheduler and the kubelet's device plugin, not by us."""

from tests.e2e.support.objects import model_deployment


def test_a_pod_gets_the_devices_it_asks_for(namespace, bundles):
    namespace.apply(model_deployment("gpu", bundles["echo"][1], resources={"gpu": {"count": 2}}))
    assert namespace.wait_ready("md", "gpu")["status"]["gpu"] == 2
    (pod,) = namespace.list("pods", "serving.turnout.dev/model-deployment=gpu")
    assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    (container,) = pod["status"]["containerStatuses"]
    devices = {
        resource["resourceID"]
        for each in container["allocatedResourcesStatus"]
        for resource in each["resources"]
        if each["name"] == "nvidia.com/gpu"
    }
    assert len(devices) == 2


def test_scale_sets_the_number_of_pods(namespace, bundles):
    namespace.apply(model_deployment("scaled", bundles["echo"][1]))
    revision = namespace.wait_ready("md", "scaled")["status"]["latestRevision"]
    namespace.run("scale", "md/scaled", "--replicas=2")
    namespace.run("wait", "md/scaled", "--for=jsonpath={.status.readyReplicas}=2", "--timeout=60s")
    assert namespace.get("md", "scaled")["status"]["latestRevision"] == revision
    assert len(namespace.list("pods", f"serving.turnout.dev/revision={revision}")) == 2
