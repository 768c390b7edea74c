"""What a lab needs of the machine it runs on: Debian's packages, root, and some features of the kernel.

`check()` says in one sentence what is missing and how to get it; `install()` gets what apt can get. As a program
(`make system`): all of it, and the control plane and the hosts' image into the cache, once.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from backstay_dev.lab.assets import ensure_assets
from backstay_dev.lab.image import NEXT_SUITE, SUITE
from backstay_dev.lab.kernel_disks import ensure_disks, runs_here
from backstay_dev.lab.layers import ensure_layer
from backstay_dev.lab.shell import EXIT_CANNOT, LabError, Progress, call, silent

# A program that shows that the package is there, and the package.
PROGRAMS: Final = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "nft": "nftables",
    "fence_redfish": "fence-agents",
    "ipmitool": "ipmitool",
    "qemu-system-x86_64": "qemu-system-x86",
}
# What no lab needs, and tests of packages use where it is there.
FOR_PACKAGES: Final = {"rpmbuild": "rpm"}
# Over the hosts' image, for the lab with the real databases.
LAYER: Final = ("postgresql", "redis-server")
# The same for the lab with small services of many kinds: together 4 MB to load.
SERVICES_LAYER: Final = ("nginx", "redis-server", "haproxy", "dnsmasq", "rpcbind")
# The same for the lab with OCF agents, and what some of them manage.
OCF_LAYER: Final = (
    *("resource-agents", "nginx", "redis-server", "postgresql", "nfs-kernel-server", "kmod", "psmisc", "iptables"),
    *("apache2", "curl", "bind9", "bind9-host", "postfix", "dovecot-core", "slapd", "ldap-utils", "mariadb-server"),
    # An agent that reloads; what `ocf-tester` reads metadata with; a daemon that it tests; what `mariadb` compares positions with.
    *("pacemaker-resource-agents", "libxml2-utils", "rsync", "bc"),
)
# What the package of the CLI depends on.
CLI_LAYER: Final = ("python3-yaml", "python3-kubernetes")
_PATH: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def missing_packages(programs: Mapping[str, str] = PROGRAMS) -> list[str]:
    return [package for program, package in programs.items() if shutil.which(program, path=_PATH) is None]


def install(progress: Progress = silent, programs: Mapping[str, str] = PROGRAMS) -> None:
    """Install the Debian packages that are missing; needs root."""
    missing = missing_packages(programs)
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LabError(f"The lab needs {', '.join(missing)}: as root, run `apt-get install {' '.join(missing)}`.")
    progress(f"installing {', '.join(missing)} with apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *missing]):
        done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"`apt-get {' '.join(arguments)}` failed: {(done.stderr or done.stdout).strip()[-400:]}")


def check() -> None:
    """Raise a LabError with the first thing that stands in the way of hosts; come back if nothing does."""
    for obstacle in obstacles():
        raise LabError(obstacle)


def obstacles() -> Iterator[str]:
    """Everything that stands in the way of hosts, each as a sentence with its cure, the most basic first."""
    if os.geteuid() != 0:
        yield "The lab makes machines and networks and must be root for that: run it with sudo."
        return
    missing = missing_packages()
    if missing:
        yield f"The lab needs {', '.join(missing)}: run `make system`, or apt-get install them."
    if "overlay" not in Path("/proc/filesystems").read_text() and not _works("modprobe", "overlay"):
        yield "This kernel has no overlayfs, which the hosts' disks are made of: load the module `overlay`."
    if cgroup2_root() is None:
        yield "No cgroup v2 hierarchy is mounted: run `mount -t cgroup2 none /sys/fs/cgroup/unified`."
    if not missing:
        yield from _network_obstacles()


def cgroup2_root() -> Path | None:
    """Where cgroup v2 is mounted, on a pure or a hybrid machine."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(place, os.W_OK):
            return Path(place)
    return None


def _network_obstacles() -> Iterator[str]:
    attempts = {
        "network namespaces": "true",
        "bridges (module `bridge`)": "ip link add br0 type bridge",
        "veth pairs (module `veth`)": "ip link add v0 type veth peer name v1",
        "nftables on bridges (module `nf_tables`)": "nft add table bridge lab",
    }
    for feature, attempt in attempts.items():
        if not _works("unshare", "--net", "sh", "-c", attempt):
            yield f"This kernel, or this container, does not allow {feature}: the lab's network is made of them."


def main() -> int:
    """Everything that a lab needs and that takes long is here afterwards. Exit code 2: one sentence says what is not."""

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        install(tell, {**PROGRAMS, **FOR_PACKAGES})
        check()
        ensure_assets(tell)
        ensure_layer(LAYER, tell)
        ensure_layer(SERVICES_LAYER, tell)
        ensure_layer(OCF_LAYER, tell)
        for suite in (SUITE, NEXT_SUITE):
            ensure_layer(CLI_LAYER, tell, suite)
        if runs_here():
            ensure_disks(tell)
    except LabError as error:
        tell(str(error))
        return EXIT_CANNOT
    return 0


def _works(*command: str) -> bool:
    try:
        call(*command)
    except LabError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
