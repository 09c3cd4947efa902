"""Configuration files of the local cluster, rendered from settings: pure functions."""

import json
from pathlib import Path
from typing import Any

from tests.cluster import settings
from tests.cluster.paths import RUN, State

SOCKET = RUN / "containerd.sock"


def kubeconfig(state: State, client: str) -> dict[str, Any]:
    """Return the kubeconfig by which `client` reaches the API server; certificates are referred to by path."""
    user = {
        "client-certificate": str(state.pki / f"{client}.crt"),
        "client-key": str(state.pki / f"{client}.key"),
    }
    cluster = {"server": settings.API_URL, "certificate-authority": str(state.pki / "ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "turnout", "cluster": cluster}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": "turnout", "context": {"cluster": "turnout", "user": client}}],
        "current-context": "turnout",
    }


def kubelet(state: State) -> dict[str, Any]:
    """Return the kubelet's configuration; it serves only callers that the API server vouches for."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": settings.NODE_ADDRESS,
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(state.pki / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(state.pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(state.pki / "kubelet-server.key"),
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [settings.NODE_ADDRESS],
        "resolvConf": "",
        "maxPods": settings.MAX_PODS,
        "podCIDR": settings.POD_NETWORK,
        "evictionHard": {},
        "imageGCHighThresholdPercent": 100,  # never: images are loaded by hand and could not be pulled again
        "imageMinimumGCAge": "8760h",
        "localStorageCapacityIsolation": False,
        "makeIPTablesUtilChains": False,
        "podLogsDir": str(state.data / "pod-logs"),
        "volumePluginDir": str(state.data / "volume-plugins"),
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "eventRecordQPS": 0,
        "syncFrequency": "5s",
        "nodeStatusUpdateFrequency": "2s",  # how soon the node shows its GPUs
        "shutdownGracePeriod": "0s",
    }


def cni() -> dict[str, Any]:
    """Return the pods' network: one bridge, which also carries the node's own address."""
    ipam = {
        "type": "host-local",
        "dataDir": str(RUN / "cni"),
        "ranges": [[{"subnet": settings.POD_NETWORK}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": settings.BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": settings.CNI_NETWORK, "plugins": [bridge]}


def containerd(state: State) -> str:
    """Return containerd's configuration; everything it keeps lies below our folders."""
    return f"""version = 2
root = "{state.data}/containerd"
state = "{RUN}/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{state.data}/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{settings.PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE runc may not lower a score, and dies when asked to.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{RUN}/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{state.config}/cni"
"""


def corefile(state: State) -> str:
    """Return CoreDNS's configuration: the cluster's names, on the node's address only."""
    return f""".:53 {{
    bind {settings.NODE_ADDRESS}
    errors
    kubernetes cluster.local in-addr.arpa {{
        endpoint {settings.API_URL}
        kubeconfig {state.config}/dns.kubeconfig turnout
    }}
    cache 5
}}
"""


def env(state: State) -> str:
    """Return the shell lines that point kubectl and helm at this cluster."""
    return f'export KUBECONFIG="{state.kubeconfig}"\nexport PATH="{state.bin}:$PATH"\n'


def files(state: State) -> dict[Path, str]:
    """Return every file of the local cluster with its content."""
    rendered = {
        state.config / "kubelet.json": json.dumps(kubelet(state), indent=1),
        state.config / "cni" / "10-turnout.conflist": json.dumps(cni(), indent=1),
        state.config / "containerd.toml": containerd(state),
        state.config / "Corefile": corefile(state),
        state.kubeconfig: json.dumps(kubeconfig(state, "admin"), indent=1),
        state.env: env(state),
        state.gateway_url: settings.GATEWAY_URL + "\n",
    }
    for client in settings.CLIENTS:
        rendered[state.config / f"{client}.kubeconfig"] = json.dumps(kubeconfig(state, client), indent=1)
    return rendered
