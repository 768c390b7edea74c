"""The node's programs, built from the Go modules in `dev/controlplane/` and kept in the cache, as the lab's control plane is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_dev.lab.assets import KUBERNETES, Assets, Build, ensure_assets, ensure_build
from backstay_dev.lab.shell import Progress, silent

_CONTAINERD: Final = "github.com/containerd/containerd/v2"
_PLUGINS: Final = "github.com/containernetworking/plugins/plugins"
_PARTS: Final = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
BUILDS: Final = {
    "node": Build("node", tuple(f"k8s.io/kubernetes/cmd/{one}" for one in _PARTS), KUBERNETES.ldflags, _PARTS),
    "containerd": Build(
        "containerd",
        tuple(f"{_CONTAINERD}/cmd/{one}" for one in ("containerd", "containerd-shim-runc-v2", "ctr")),
        f"-s -w -X {_CONTAINERD}/version.Version=2.4.2",
        ("containerd", "containerd-shim-runc-v2", "ctr"),
        # They need libraries in C, and other disks than ours.
        tags="no_btrfs,no_devmapper,no_zfs",
    ),
    "cni": Build(
        "cni",
        (f"{_PLUGINS}/main/bridge", f"{_PLUGINS}/main/loopback", f"{_PLUGINS}/ipam/host-local"),
        "-s -w",
        ("bridge", "loopback", "host-local"),
    ),
    "coredns": Build("coredns", (".",), "-s -w", ("coredns",)),
    "pause": Build("pause", (".",), "-s -w", ("pause",)),
}


@dataclass(frozen=True)
class Programs:
    """Where they are; each field but the first is a folder of them."""

    control: Assets
    node: Path
    containerd: Path
    cni: Path
    coredns: Path
    pause: Path

    @property
    def path(self) -> str:
        """For a PATH on which all of them are found, and Debian's runc and nft."""
        ours = (self.control.kube_apiserver.parent, self.node, self.containerd)
        return ":".join([*map(str, ours), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])


def ensure_programs(progress: Progress = silent) -> Programs:
    """Find or build them (about 12 minutes from nothing on two cores, beside those of the lab's control plane)."""
    return Programs(ensure_assets(progress), **{name: ensure_build(one, progress) for name, one in BUILDS.items()})
