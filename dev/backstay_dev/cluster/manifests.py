"""What the node's programs are told: containerd, the kubelet, kube-proxy, the network of Pods, and the cluster's DNS."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from .images import COREDNS

POD_NETWORK: Final = "10.244.0.0/24"
SERVICE_NETWORK: Final = "10.0.0.0/24"
DNS_ADDRESS: Final = "10.0.0.10"

# Everywhere its own default would be a folder of the machine. Containers get no better OOM score than the machine allows.
CONTAINERD: Final = """\
version = 3
root = '{folder}/containerd'
state = '/run/containerd'
[grpc]
  address = '/run/containerd/containerd.sock'
[plugins.'io.containerd.internal.v1.opt']
  path = '{folder}/opt'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{pause}'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['{plugins}']
  conf_dir = '{folder}/cni'
"""

CNI: Final = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": POD_NETWORK}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}


def kubelet(folder: Path) -> dict[str, Any]:
    """Open to whoever stands in the lab, which nobody else does."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        # It would not run on v1 any more unless told so.
        "failCgroupV1": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [DNS_ADDRESS],
        "resolvConf": str(folder / "resolv.conf"),
        "volumePluginDir": str(folder / "flex"),
        # Its default is better than this machine may give.
        "oomScoreAdj": 0,
        # What was imported comes from nowhere else.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "nodeStatusUpdateFrequency": "5s",
    }


def proxy(folder: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(folder / "system:kube-proxy.kubeconfig")},
        "clusterCIDR": POD_NETWORK,
        "hostnameOverride": "node",
        # The machine's own limits, which it cannot set from here.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


_LABELS: Final = {"k8s-app": "kube-dns"}
_META: Final = {"name": "coredns", "namespace": "kube-system"}
_COREFILE: Final = """\
.:53 {
  errors
  ready
  kubernetes cluster.local in-addr.arpa
}
"""
_CONTAINER: Final = {
    "name": "coredns",
    "image": COREDNS,
    "imagePullPolicy": "Never",
    "args": ["-conf", "/etc/coredns/Corefile"],
    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
    "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
}
COREDNS_OBJECTS: Final[list[dict[str, Any]]] = [
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _META},
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "coredns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"},
        "subjects": [{"kind": "ServiceAccount", **_META}],
    },
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _META, "data": {"Corefile": _COREFILE}},
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _META,
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {
                    "serviceAccountName": "coredns",
                    "dnsPolicy": "Default",
                    "containers": [_CONTAINER],
                    "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
                },
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {
            "clusterIP": DNS_ADDRESS,
            "selector": _LABELS,
            "ports": [{"name": name, "port": 53, "protocol": name.upper()} for name in ("udp", "tcp")],
        },
    },
]
