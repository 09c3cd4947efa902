"""The command lines of the local cluster's components: pure, in the order in which they start."""

from pathlib import Path

from tests.cluster import settings
from tests.cluster.config import SOCKET
from tests.cluster.paths import KUBELET_ROOT, State
from tests.cluster.processes import Component


def etcd(state: State, node: Path) -> Component:
    """Return etcd, which never waits for the disk: the cluster is thrown away."""
    client, peer = f"http://127.0.0.1:{settings.ETCD_PORT}", "http://127.0.0.1:2380"
    return _component(
        "etcd",
        [node, "etcd", "--unsafe-no-fsync"],
        {
            "data-dir": f"{state.data}/etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "quota-backend-bytes": str(4 << 30),
            "auto-compaction-mode": "revision",
            "auto-compaction-retention": "10000",
            "log-level": "error",
        },
    )


def containerd(state: State) -> Component:
    """Return the container runtime."""
    return Component("containerd", ("containerd", "--config", f"{state.config}/containerd.toml"))


def api_server(state: State, node: Path) -> Component:
    """Return the API server, with the aggregation layer that an external metrics API needs."""
    pki = state.pki
    return _component(
        "kube-apiserver",
        [node, "kube-apiserver"],
        {
            "etcd-servers": f"http://127.0.0.1:{settings.ETCD_PORT}",
            "bind-address": settings.NODE_ADDRESS,
            "advertise-address": settings.NODE_ADDRESS,
            "secure-port": str(settings.API_PORT),
            "service-cluster-ip-range": settings.SERVICE_NETWORK,
            "tls-cert-file": f"{pki}/apiserver.crt",
            "tls-private-key-file": f"{pki}/apiserver.key",
            "client-ca-file": f"{pki}/ca.crt",
            "kubelet-certificate-authority": f"{pki}/ca.crt",
            "kubelet-client-certificate": f"{pki}/admin.crt",
            "kubelet-client-key": f"{pki}/admin.key",
            "kubelet-preferred-address-types": "InternalIP",
            "requestheader-client-ca-file": f"{pki}/ca.crt",
            "requestheader-allowed-names": "front-proxy",
            "requestheader-username-headers": "X-Remote-User",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "proxy-client-cert-file": f"{pki}/front-proxy.crt",
            "proxy-client-key-file": f"{pki}/front-proxy.key",
            "enable-aggregator-routing": "true",
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": f"{pki}/sa.pub",
            "service-account-signing-key-file": f"{pki}/sa.key",
            "allow-privileged": "true",
        },
    )


def controller_manager(state: State, node: Path) -> Component:
    """Return the controllers; at their default of 20 requests a second 1,000 Deployments take minutes."""
    return _component(
        "kube-controller-manager",
        [node, "kube-controller-manager"],
        {
            "kubeconfig": f"{state.config}/controller-manager.kubeconfig",
            "bind-address": "127.0.0.1",
            "leader-elect": "false",
            "use-service-account-credentials": "true",
            "service-account-private-key-file": f"{state.pki}/sa.key",
            "root-ca-file": f"{state.pki}/ca.crt",
            "cluster-signing-cert-file": f"{state.pki}/ca.crt",
            "cluster-signing-key-file": f"{state.pki}/ca.key",
            "flex-volume-plugin-dir": f"{state.data}/volume-plugins",
            "kube-api-qps": "200",
            "kube-api-burst": "400",
        },
    )


def scheduler(state: State, node: Path) -> Component:
    """Return the scheduler as it ships."""
    kubeconfig = f"{state.config}/scheduler.kubeconfig"
    flags = {"kubeconfig": kubeconfig, "bind-address": "127.0.0.1", "leader-elect": "false"}
    return _component("kube-scheduler", [node, "kube-scheduler"], flags)


def kubelet(state: State, node: Path) -> Component:
    """Return the node's agent."""
    return _component(
        "kubelet",
        [node, "kubelet"],
        {
            "config": f"{state.config}/kubelet.json",
            "kubeconfig": f"{state.config}/kubelet.kubeconfig",
            "root-dir": str(KUBELET_ROOT),
            "hostname-override": settings.NODE_NAME,
            "node-ip": settings.NODE_ADDRESS,
        },
    )


def proxy(state: State, node: Path) -> Component:
    """Return the implementation of Services."""
    return _component(
        "kube-proxy",
        [node, "kube-proxy"],
        {
            "kubeconfig": f"{state.config}/proxy.kubeconfig",
            "proxy-mode": "nftables",
            "cluster-cidr": settings.POD_NETWORK,
            "hostname-override": settings.NODE_NAME,
            "nodeport-addresses": "primary",
            "healthz-bind-address": "127.0.0.1:10256",
            "conntrack-max-per-core": "0",
        },
    )


def dns(state: State, node: Path) -> Component:
    """Return the cluster's name server, a process on the bridge's address."""
    return Component("coredns", (str(node), "coredns", "-conf", f"{state.config}/Corefile"))


def gpu_plugin(program: Path) -> Component:
    """Return the device plugin that advertises GPUs."""
    flags = {
        "resource": settings.GPU_RESOURCE,
        "count": str(settings.GPUS),
        "directory": f"{settings.KUBELET_HOME}/device-plugins",
    }
    return _component("gpu-plugin", [program], flags)


def containerctl(*arguments: str) -> list[str]:
    """Return a `ctr` command line in the kubelet's namespace of our containerd."""
    return ["ctr", "--address", str(SOCKET), "--namespace", "k8s.io", *arguments]


def _component(name: str, argv: list[Path | str], flags: dict[str, str]) -> Component:
    return Component(name, (*map(str, argv), *(f"--{flag}={value}" for flag, value in flags.items())))
