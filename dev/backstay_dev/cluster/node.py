"""A node of Kubernetes on this very machine: a real kubelet and containerd in namespaces of their own, and a control plane beside them.

    node = Node(network, Places(state, folder), programs, images, progress)
    node.up()                                   # Ready, with DNS, when it comes back
    node.kubectl("get", "pods", "-A"); node.helm("list")
    node.down()

It stands on the lab's bridge like a host, at ADDRESS. What it writes is below `folder`, and in control groups of that name; nothing else
of the machine is changed: where the kubelet would set the whole machine's kernel, it is shown files that say so already.

Tried where control groups are v1 with v2 beside them ("hybrid"), as here; elsewhere it says so and does not begin.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from backstay_dev.lab.controlplane import write_kubeconfig
from backstay_dev.lab.network import API_PORT, BRIDGE_ADDRESS, LabNetwork
from backstay_dev.lab.pki import Authority
from backstay_dev.lab.shell import Child, LabError, Progress, call, silent, spawn, wait_until

from .images import PAUSE
from .manifests import CNI, CONTAINERD, COREDNS_OBJECTS, DNS_ADDRESS, POD_NETWORK, SERVICE_NETWORK, kubelet, proxy
from .programs import Programs

NAME: Final = "node"
PROGRAMS: Final = {"runc": "runc", "buildah": "buildah"}
"""Besides those of a lab: a program that shows that Debian's package is there, and the package."""
ADDRESS: Final = "192.0.2.50"
_CGROUPS: Final = Path("/sys/fs/cgroup")
_HIERARCHIES: Final = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")
_ROLES: Final = {
    "admin": "system:masters",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    "system:kube-proxy": "",
    f"system:node:{NAME}": "system:nodes",
}
# What the kubelet insists on, and would set for the whole machine.
_KERNEL: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# Images are unpacked in memory (1.5 GB), which costs less than a disk would, and is gone with the node.
# Into the node's own control groups before they become all that it sees; when this ends, every process of the node does.
_OUTER: Final = """
for one in $HIERARCHIES; do echo $$ > "/sys/fs/cgroup/$one/$CGROUP/cgroup.procs" || exit 1; done
exec unshare --fork --kill-child --pid --mount --uts --ipc --cgroup --propagation private --mount-proc sh -eu -c "$INNER"
"""
_INNER: Final = """
hostname node
mount -t tmpfs tmpfs /run
mount --bind "$FOLDER/log" /var/log
mount -t tmpfs tmpfs "$FOLDER/containerd"
mount -t overlay overlay -o "lowerdir=/var/lib,upperdir=$FOLDER/varlib,workdir=$FOLDER/varlib.work" /var/lib
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for one in $HIERARCHIES; do
  mkdir "/sys/fs/cgroup/$one"
  case $one in systemd) how=none,name=systemd ;; *) how=$one ;; esac
  mount -t cgroup -o "$how" cgroup "/sys/fs/cgroup/$one"
done
for one in $KERNEL; do mount --bind "$FOLDER/kernel/$one" "/proc/sys/$one"; done
mount --make-rshared /
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
containerd -c "$FOLDER/containerd.toml" > "$FOLDER/log/containerd.log" 2>&1 &
tries=0
until ctr -a /run/containerd/containerd.sock version > /dev/null 2>&1; do
  tries=$((tries + 1)); [ "$tries" -lt 300 ] || exit 1
  sleep 0.1
done
for archive in $IMAGES; do ctr -a /run/containerd/containerd.sock -n k8s.io images import "$archive"; done
exec kubelet --config="$FOLDER/kubelet.yaml" --kubeconfig="$FOLDER/system:node:node.kubeconfig" --root-dir="$FOLDER/kubelet" \
  --hostname-override=node --node-ip="$ADDRESS" --v=1
"""


@dataclass(frozen=True)
class Places:
    state: Path
    """The lab's: logs, and the records by which a later lab ends what is left."""
    folder: Path
    """The node's own, on a disk."""


class Node:
    def __init__(
        self, network: LabNetwork, places: Places, programs: Programs, images: list[Path], progress: Progress = silent
    ) -> None:
        self._network = network
        self._state = places.state
        self._folder = folder = places.folder
        self._programs = programs
        self._images = images
        self._progress = progress
        self._cgroup = cgroup_of(folder)
        self._children: list[Child] = []
        self.authority = Authority(folder / "pki")
        self._tokens = {role: secrets.token_urlsafe(24) for role in _ROLES}

    @property
    def url(self) -> str:
        return f"https://{ADDRESS}:{API_PORT}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self._folder / "admin.kubeconfig"

    # Life

    def up(self) -> None:
        """Comes back when Pods can be made, and names in the cluster are resolved."""
        for obstacle in obstacles():
            raise LabError(obstacle)
        self._write_files()
        self._plug_in()
        self._start_control_plane()
        self._start_node()
        self._kubectl_applies(yaml.safe_dump_all(COREDNS_OBJECTS))
        self.wait_rolled_out("kube-system", "deployment/coredns")
        self._progress("the node is ready")

    def down(self) -> None:
        """Everything of it ends at once; what it wrote goes with its folder."""
        for child in reversed(self._children):
            child.kill()
        self._children = []
        gone = "the end of the node's control groups"
        wait_until(lambda: remove_all(self._folder), timeout_s=10, what=gone, every_s=0.1)

    # Ways in

    def call(self, *command: str | Path, stdin: str | None = None, timeout_s: float = 60.0) -> str:
        """A short program of this machine, on the node's network."""
        return call("nsenter", f"--net={self._namespace}", "--", *command, stdin=stdin, timeout_s=timeout_s)

    def kubectl(self, *words: str | Path, stdin: str | None = None, timeout_s: float = 60.0) -> str:
        program = self._programs.control.kubectl
        return self.call(program, "--kubeconfig", self.kubeconfig, *words, stdin=stdin, timeout_s=timeout_s)

    def helm(self, *words: str | Path, timeout_s: float = 180.0) -> str:
        homes = [f"HELM_{kind}_HOME={self._folder / 'helm'}" for kind in ("CACHE", "CONFIG", "DATA")]
        program = self._programs.control.helm
        return self.call("env", *homes, program, *words, "--kubeconfig", self.kubeconfig, timeout_s=timeout_s)

    def wait_rolled_out(self, namespace: str, what: str) -> None:
        self.kubectl("-n", namespace, "rollout", "status", what, "--timeout=90s", timeout_s=100)

    # Below: how.

    @property
    def _namespace(self) -> Path:
        return Path("/run/netns") / self._network.host_namespace(NAME)

    def _write_files(self) -> None:
        for folder in ("log", "containerd", "varlib", "varlib.work", "kubelet", "helm", "cni"):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        for name, value in _KERNEL.items():
            file = self._folder / "kernel" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{value}\n")
        lines = [f'{token},{role},{role},"{_ROLES[role]}"\n' for role, token in self._tokens.items()]
        (self._folder / "tokens.csv").touch(mode=0o600)
        (self._folder / "tokens.csv").write_text("".join(lines))
        for role, token in self._tokens.items():
            write_kubeconfig(self._folder / f"{role}.kubeconfig", self.url, self.authority.cert_file, token)
        (self._folder / "cni" / "10-pods.conflist").write_text(json.dumps(CNI))
        (self._folder / "resolv.conf").write_text(f"nameserver {DNS_ADDRESS}\n")
        (self._folder / "containerd.toml").write_text(
            CONTAINERD.format(folder=self._folder, pause=PAUSE, plugins=self._programs.cni)
        )
        (self._folder / "kubelet.yaml").write_text(yaml.safe_dump(kubelet(self._folder)))
        (self._folder / "proxy.yaml").write_text(yaml.safe_dump(proxy(self._folder)))

    def _plug_in(self) -> None:
        """On the bridge like a host; what stands there finds the Pods through the node."""
        self._network.plug_in(NAME)
        lines = ("link set lo up", f"addr add {ADDRESS}/24 dev eth0", "link set eth0 up")
        routes = (f"route add default via {BRIDGE_ADDRESS}",)
        call("ip", "-n", self._network.host_namespace(NAME), "-batch", "-", stdin="\n".join((*lines, *routes)) + "\n")
        call("ip", "-n", self._network.namespace, "route", "add", POD_NETWORK, "via", ADDRESS)

    def _start_control_plane(self) -> None:
        control, url = self._programs.control, "http://127.0.0.1:2379"
        self._spawn(
            *("etcd", control.etcd, f"--data-dir={self._folder / 'etcd'}", f"--listen-client-urls={url}"),
            *(f"--advertise-client-urls={url}", "--unsafe-no-fsync", "--log-level=warn"),
        )
        self._spawn("kube-apiserver", control.kube_apiserver, f"--etcd-servers={url}", *self._apiserver_flags())
        wait_until(self._is_ready, timeout_s=60, what="readiness of the node's kube-apiserver", every_s=0.1)
        self._progress("the node's API server answers")
        key, ca = self._folder / "pki" / "service-accounts.key", self.authority.cert_file
        self._spawn(
            *("kube-controller-manager", self._programs.node / "kube-controller-manager", "--leader-elect=false"),
            *(f"--kubeconfig={self._kubeconfig('system:kube-controller-manager')}", f"--root-ca-file={ca}"),
            *(f"--service-account-private-key-file={key}", "--use-service-account-credentials=true"),
            *("--bind-address=127.0.0.1", f"--flex-volume-plugin-dir={self._folder / 'flex'}"),
        )
        scheduler = self._kubeconfig("system:kube-scheduler")
        self._spawn(
            *("kube-scheduler", self._programs.node / "kube-scheduler", f"--kubeconfig={scheduler}"),
            *("--leader-elect=false", "--bind-address=127.0.0.1"),
        )

    def _apiserver_flags(self) -> Iterator[str]:
        names = ["127.0.0.1", ADDRESS, "10.0.0.1", "localhost", "kubernetes.default.svc"]
        pair = self.authority.issue("apiserver", names)
        key = self.authority.signing_key("service-accounts")
        yield from (
            f"--advertise-address={ADDRESS}",
            f"--secure-port={API_PORT}",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
        )
        yield from (f"--tls-cert-file={pair.cert}", f"--tls-private-key-file={pair.key}")
        yield from (f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}")
        yield "--service-account-issuer=https://kubernetes.default.svc"
        yield from ("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction")
        yield from (f"--service-cluster-ip-range={SERVICE_NETWORK}", "--allow-privileged=true", "--profiling=false")

    def _start_node(self) -> None:
        for one in _HIERARCHIES:
            (_CGROUPS / one / self._cgroup).mkdir(exist_ok=True)
        for limit in ("cpuset.cpus", "cpuset.mems"):
            everything = (_CGROUPS / "cpuset" / limit).read_text()
            (_CGROUPS / "cpuset" / self._cgroup / limit).write_text(everything)
        environment = {
            "PATH": self._programs.path,
            "HIERARCHIES": " ".join(_HIERARCHIES),
            "CGROUP": self._cgroup,
            "INNER": _INNER,
            "FOLDER": str(self._folder),
            "KERNEL": " ".join(_KERNEL),
            "IMAGES": " ".join(map(str, self._images)),
            "ADDRESS": ADDRESS,
        }
        self._spawn("node", "sh", "-eu", "-c", _OUTER, environment=environment)
        # It reads the node's addresses and writes rules into its network; no more of the node than that.
        self._spawn("kube-proxy", self._programs.node / "kube-proxy", f"--config={self._folder / 'proxy.yaml'}")
        wait_until(self._node_is_ready, timeout_s=90, what="Ready of the node", every_s=0.2)
        wait_until(self._has_default_account, timeout_s=30, what="the default ServiceAccount", every_s=0.2)

    def _spawn(self, name: str, *command: str | Path, environment: dict[str, str] | None = None) -> None:
        entered = ("nsenter", f"--net={self._namespace}", "--", *command)
        env = {"PATH": self._programs.path, **(environment or {})}
        self._children.append(spawn(name, entered, self._state, env=env))

    def _kubeconfig(self, role: str) -> Path:
        return self._folder / f"{role}.kubeconfig"

    def _kubectl_applies(self, manifests: str) -> None:
        self.kubectl("apply", "-f", "-", stdin=manifests)

    def _is_ready(self) -> bool:
        return self._says(lambda: self.kubectl("get", "--raw", "/readyz"), "ok")

    def _node_is_ready(self) -> bool:
        ready = '{.status.conditions[?(@.type=="Ready")].status}'
        return self._says(lambda: self.kubectl("get", "node", NAME, "-o", f"jsonpath={ready}"), "True")

    def _has_default_account(self) -> bool:
        return self._says(
            lambda: self.kubectl("get", "serviceaccount", "default", "-o", "name"), "serviceaccount/default"
        )

    def _says(self, ask: Callable[[], str], expected: str) -> bool:
        for child in self._children:
            if not child.running:
                raise LabError(f"{child.name} ended; its last words:\n{child.last_words()}")
        with suppress(LabError):
            return ask().strip() == expected
        return False


def cgroup_of(folder: Path) -> str:
    return f"backstay-{folder.name}"


def remove_all(folder: Path) -> bool:
    """What a node of which nothing lives any more has left here; False: something is in use yet."""
    groups = [_CGROUPS / one / cgroup_of(folder) for one in _HIERARCHIES]
    for group in groups:
        for inner, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                Path(inner).rmdir()
    if any(group.exists() for group in groups):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def obstacles() -> Iterator[str]:
    """Why a node cannot be here, each as a sentence."""
    missing = [one for one in _HIERARCHIES if not (_CGROUPS / one).is_dir()]
    if missing:
        yield f"the node was tried on control groups v1 with v2 beside them; this machine has no {', '.join(missing)}"
