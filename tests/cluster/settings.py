"""The local cluster's addresses and names; pure values that its configuration is rendered from."""

from collections.abc import Sequence

from tests.cluster.pki import Identity

NODE_NAME = "turnout-1"
BRIDGE = "turnout0"
NODE_ADDRESS = "10.244.0.1"
POD_NETWORK = "10.244.0.0/20"
SERVICE_NETWORK = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
API_PORT = 6443
API_URL = f"https://{NODE_ADDRESS}:{API_PORT}"
ETCD_PORT = 2379
MAX_PODS = 250
GPU_RESOURCE = "nvidia.com/gpu"
GPUS = 4
GATEWAY_NODE_PORT = 30080
GATEWAY_URL = f"http://{NODE_ADDRESS}:{GATEWAY_NODE_PORT}"
PAUSE_IMAGE = "turnout.local/pause:1"
CNI_NETWORK = "turnout"
KUBELET_HOME = "/var/lib/kubelet"  # the kubelet's device plugins live here whatever its root folder is

KUBERNETES_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
IDENTITIES: Sequence[Identity] = (
    Identity(
        "apiserver",
        "kube-apiserver",
        names=("127.0.0.1", "localhost", NODE_ADDRESS, SERVICE_ADDRESS, *KUBERNETES_NAMES),
    ),
    Identity("admin", "admin", "system:masters"),
    Identity("controller-manager", "system:kube-controller-manager"),
    Identity("scheduler", "system:kube-scheduler"),
    Identity("kubelet", f"system:node:{NODE_NAME}", "system:nodes"),
    Identity("kubelet-server", NODE_NAME, names=(NODE_NAME, NODE_ADDRESS)),
    Identity("proxy", "system:kube-proxy"),
    Identity("dns", "turnout-dns", "system:masters"),
    Identity("front-proxy", "front-proxy"),
)
CLIENTS = ("admin", "controller-manager", "scheduler", "kubelet", "proxy", "dns")
ENDPOINTS = (
    *((NODE_ADDRESS, port) for port in (53, API_PORT, 10250)),
    *(("127.0.0.1", port) for port in (ETCD_PORT, 2380, 10248, 10249, 10256, 10257, 10259)),
)
