import json
import tomllib
from pathlib import Path

import pytest
import yaml
from tests.cluster import components, config, kind, settings
from tests.cluster.paths import CHECKOUT, RUN, State
from tests.cluster.processes import Component

STATE = State(Path("/checkout/.cluster"))
NODE = Path("/cache/node")


def test_containerd_keeps_everything_below_our_folders() -> None:
    document = tomllib.loads(config.containerd(STATE))
    runtime = document["plugins"]["io.containerd.grpc.v1.cri"]
    paths = [document["root"], document["state"], document["grpc"]["address"], runtime["cni"]["conf_dir"]]
    paths.append(runtime["containerd"]["runtimes"]["runc"]["options"]["Root"])
    assert all(path.startswith((str(STATE.root), str(RUN))) for path in paths)
    assert runtime["sandbox_image"] == settings.PAUSE_IMAGE
    assert len(document["grpc"]["address"]) < 100, "the kernel refuses longer socket paths"


def test_pods_fit_the_network_and_images_are_never_collected() -> None:
    kubelet = config.kubelet(STATE)
    assert kubelet["maxPods"] == 250
    assert kubelet["imageGCHighThresholdPercent"] == 100
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert 2 ** (32 - int(settings.POD_NETWORK.partition("/")[2])) > 4 * kubelet["maxPods"]


def test_every_client_has_a_kubeconfig_with_its_own_certificate() -> None:
    files = config.files(STATE)
    for client in settings.CLIENTS:
        document = json.loads(files[STATE.config / f"{client}.kubeconfig"])
        assert document["users"][0]["user"]["client-certificate"] == f"{STATE.pki}/{client}.crt"
        assert client in {identity.file for identity in settings.IDENTITIES}
    assert f'KUBECONFIG="{STATE.kubeconfig}"' in files[STATE.env]


def test_certificates_named_on_command_lines_are_made() -> None:
    made = {f"{STATE.pki}/{identity.file}.{kind}" for identity in settings.IDENTITIES for kind in ("crt", "key")}
    made |= {f"{STATE.pki}/{name}" for name in ("ca.crt", "ca.key", "sa.key", "sa.pub")}
    for component in (components.api_server(STATE, NODE), components.controller_manager(STATE, NODE)):
        named = {word.partition("=")[2] for word in component.argv if f"={STATE.pki}/" in word}
        assert named
        assert named <= made


@pytest.mark.parametrize(
    ("component", "flags"),
    [
        (components.etcd(STATE, NODE), ["--unsafe-no-fsync"]),
        (components.api_server(STATE, NODE), ["--requestheader-allowed-names=front-proxy"]),
        (components.controller_manager(STATE, NODE), ["--kube-api-qps=200", "--kube-api-burst=400"]),
        (components.proxy(STATE, NODE), ["--proxy-mode=nftables", "--conntrack-max-per-core=0"]),
        (components.gpu_plugin(NODE), ["--resource=nvidia.com/gpu", "--count=4"]),
    ],
)
def test_command_lines(component: Component, flags: list[str]) -> None:
    assert component.argv[0] == str(NODE)
    assert set(flags) <= set(component.argv)


def test_kind_has_the_same_gateway_port_pods_and_gpus() -> None:
    document = yaml.safe_load((CHECKOUT / "kind-config.yaml").read_text())
    assert document["name"] == kind.NAME
    ports = document["nodes"][0]["extraPortMappings"]
    assert [(port["containerPort"], port["hostPort"]) for port in ports] == [(settings.GATEWAY_NODE_PORT,) * 2]
    patches = [yaml.safe_load(patch) for patch in document["nodes"][0]["kubeadmConfigPatches"]]
    assert next(p for p in patches if p["kind"] == "KubeletConfiguration")["maxPods"] == settings.MAX_PODS

    pod = kind.gpu_daemon_set("turnout/gpuplugin:1")["spec"]["template"]["spec"]
    assert f"--count={settings.GPUS}" in pod["containers"][0]["args"]
    assert pod["volumes"][0]["hostPath"]["path"] == pod["containers"][0]["volumeMounts"][0]["mountPath"]


def test_kind_commands() -> None:
    command = [str(word) for word in kind.create("/bin/kind", STATE)]
    assert command[:3] == ["/bin/kind", "create", "cluster"]
    assert command[command.index("--kubeconfig") + 1] == str(STATE.kubeconfig)
    assert kind.tags({"images": [{"repoTags": ["docker.io/library/redis:7"]}]}) == {"docker.io/library/redis:7"}
    assert kind.qualified("redis:7") == "library/redis:7"
    assert kind.qualified("turnout/operator:1") == "turnout/operator:1"
