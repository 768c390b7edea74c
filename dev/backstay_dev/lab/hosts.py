"""A lab's host: a real systemd machine with a disk, a network port, a machine UUID and a power button.

Its processes live in a control group of their own, which is what the power button and the freezer act on: power off is
SIGKILL to everything at once, and the addresses go with the port. The disk (an overlay on the image) outlives power
cycles; `/run` and `/tmp` do not. `/shared` is one folder of the outer machine, the same for all hosts of a lab.
"""

import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_dev.lab.network import LabNetwork, Traffic, Way, host_address, host_address6
from backstay_dev.lab.prerequisites import cgroup2_root
from backstay_dev.lab.shell import Child, LabError, call, spawn, wait_until

MACHINE_UUID_FILE: Final = "/etc/backstay/machine-uuid"
# Gone with every power cycle, so they are not on the disk that is seen from outside.
_VOLATILE: Final = ("/run/", "/tmp/", "/dev/", "/proc/", "/sys/")
UP: Final = ("running", "degraded")
"""What systemd calls a machine that has booted."""

# Mounts of its own: it must not keep other hosts' networks alive, and nspawn comes back from a machine's own reboot only
# where its folder is a tmpfs. 133 is how nspawn says that the machine wants to be booted again; a reboot loses addresses.
# One that has switched itself off answers for none of its addresses any more.
# The machine enters the control group before anything of it runs, so nothing escapes the power button; this shell stays
# outside and buries what the button killed.
_SUPERVISOR: Final = """
namespace=$1 addresses=$2 procs=$3; shift 3
for other in /run/netns/*; do [ "$other" = "$namespace" ] || umount -l "$other"; done
mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn || exit 1
again=133
while [ "$again" = 133 ]; do
  nsenter --net="$namespace" ip -batch "$addresses" || exit 1
  sh -c 'echo $$ > "$0" && exec "$@"' "$procs" "$@"
  again=$?
done
nsenter --net="$namespace" ip link set eth0 down
exit "$again"
"""


@dataclass(frozen=True)
class HostPlace:
    """Where a lab puts its hosts."""

    lab_id: str
    state: Path
    image: Path
    shared: Path
    network: LabNetwork
    layer: Path | None = None
    """Debian packages over the image; see `layers`."""


class LabHost:
    def __init__(self, name: str, index: int, place: HostPlace, binds: Mapping[Path, str] | None = None) -> None:
        """`binds`: folders of the outer machine and where the host sees them, read-only."""
        self.name = name
        self.index = index
        self.address = host_address(index)
        self.address6 = host_address6(index)
        self.machine_uuid = str(uuid.uuid4())
        self._place = place
        self._binds = dict(binds or {})
        self._folder = place.state / "hosts" / name
        self._root = self._folder / "root"
        self._cgroup = lab_cgroup(place.lab_id) / name
        # Where nspawn puts the machine itself.
        self._payload = self._cgroup / "payload"
        self._supervisor: Child | None = None
        # The power button is pressed by tests and by the BMC, from different threads.
        self._power = threading.RLock()

    # Disk

    def make(self) -> None:
        """Lay the disk over the image. The host is off."""
        for folder in (self._folder / "upper", self._folder / "work", self._root):
            folder.mkdir(parents=True, exist_ok=True)
        lower = ":".join(str(layer) for layer in (self._place.layer, self._place.image) if layer)
        layers = f"lowerdir={lower},upperdir={self._folder / 'upper'},workdir={self._folder / 'work'}"
        call("mount", "-t", "overlay", "overlay", "-o", layers, self._root)
        self.write_file("/etc/hostname", f"{self.name}\n")
        self.write_file("/etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        self.write_file(MACHINE_UUID_FILE, f"{self.machine_uuid}\n")

    def remove(self) -> None:
        """Power off and throw the disk away; also after half a `make`."""
        self.power_off()
        with suppress(LabError):
            call("umount", "--lazy", self._root)
        remove_cgroup(self._cgroup)
        shutil.rmtree(self._folder, ignore_errors=True)

    def path(self, inside: str) -> Path:
        """Where the outer machine sees this file of the host."""
        assert inside.startswith("/"), f"{inside} is not an absolute path"
        if not inside.startswith(_VOLATILE):
            return self._root / inside.lstrip("/")
        pid = self.pid
        if pid is None:
            raise LabError(f"{self.name} is off and {inside} lives only while it is on.")
        return Path(f"/proc/{pid}/root{inside}")

    def write_file(self, inside: str, text: str, mode: int = 0o644) -> None:
        """At once, without starting anything in the host; whoever reads sees the old file or the new one."""
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        fresh.touch(mode=mode)
        fresh.write_text(text)
        fresh.chmod(mode)
        fresh.rename(target)

    def read_file(self, inside: str) -> str:
        return self.path(inside).read_text()

    # Power

    @property
    def pid(self) -> int | None:
        """The machine's PID 1 as the outer machine counts; None while it is off. A soft reboot changes it."""
        supervisor = self._supervisor
        if supervisor is None or not supervisor.running:
            return None
        return next((pid for pid in _descendants(supervisor.pid, depth=3) if _is_pid_one(pid)), None)

    @property
    def is_on(self) -> bool:
        """As a BMC would measure it: somebody draws power."""
        return self._supervisor is not None and "populated 1" in _read(self._cgroup / "cgroup.events")

    def power_on(self, *, wait: bool = True) -> None:
        """Press the button of a machine that is off (one that is on stays as it is)."""
        with self._power:
            if not self.is_on:
                self._off_for_good()
                self._start()
        if wait:
            self.wait_booted()

    def power_off(self) -> None:
        """Power loss: every process dies at once, then the port and all addresses are gone."""
        with self._power:
            self._off_for_good()

    def reboot(self, *, wait: bool = True) -> None:
        """A hard reset, quicker than anybody detects it."""
        with self._power:
            self.power_off()
            self.power_on(wait=False)
        if wait:
            self.wait_booted()

    def wait_booted(self, *, after: str = "", timeout_s: float = 30.0) -> None:
        """Until systemd says that it runs; a unit that failed is told and is not waited for.

        `after`: the boot id of before, for a machine that reboots itself: who enters it to ask while it goes down may hold it up for 90 s.
        """

        def booted() -> bool:
            if self._supervisor is None or not self._supervisor.running:
                words = "" if self._supervisor is None else self._supervisor.last_words()
                raise LabError(f"{self.name} went off while it booted; its last words:\n{words}")
            with suppress(LabError, OSError):
                is_next = not after or self.boot_id != after
                return is_next and self.run("systemctl", "is-system-running", check=False).strip() in UP
            return False

        wait_until(booted, timeout_s=timeout_s, what=f"the boot of {self.name}")

    @property
    def boot_id(self) -> str:
        return self.read_file("/proc/sys/kernel/random/boot_id").strip()

    def freeze(self) -> None:
        """Hang: no process of the machine gets the processor, while its kernel still answers ARP and TCP."""
        (self._payload / "cgroup.freeze").write_text("1")
        frozen = self._payload / "cgroup.events"
        wait_until(lambda: "frozen 1" in _read(frozen), timeout_s=5, what=f"the freeze of {self.name}")

    def thaw(self) -> None:
        with suppress(OSError):
            (self._payload / "cgroup.freeze").write_text("0")

    # Network

    def cut_api(self, way: Way = Way.BOTH) -> None:
        self._place.network.cut(self.name, Traffic.API, way)

    def cut_all(self, way: Way = Way.BOTH) -> None:
        self._place.network.cut(self.name, Traffic.ALL, way)

    def heal(self) -> None:
        self._place.network.heal(self.name)

    # Inside

    def run(self, *command: str, stdin: str | None = None, timeout_s: float = 30.0, check: bool = True) -> str:
        """Run a program inside, as root. `check=False`: a failure is no error, what it printed comes back all the same.

        It is started from outside (a few milliseconds) and so stands in no unit of the machine; what shall stay
        running belongs into a unit. A machine that reboots itself just then waits 90 s for such a stranger.
        """
        pid = self.pid
        if pid is None:
            raise LabError(f"{self.name} is off: `{' '.join(command)}` cannot run there.")
        tolerant = () if check else ("sh", "-c", '"$@" || true', "sh")
        return call("nsenter", "-t", str(pid), "-a", "--", *tolerant, *command, stdin=stdin, timeout_s=timeout_s)

    def install_unit(self, name: str, text: str) -> None:
        """Put a unit file onto the disk, and tell systemd if it runs. It is neither enabled nor started."""
        self.write_file(f"/etc/systemd/system/{name}", text)
        if self.is_on:
            self.run("systemctl", "daemon-reload")

    # Below: how.

    def _start(self) -> None:
        namespace = self._place.network.plug_in(self.name)
        self._cgroup.mkdir(parents=True, exist_ok=True)
        binds = [f"--bind-ro={outer}:{inner}" for outer, inner in self._binds.items()]
        command = [
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"),
            *("-D", str(self._root), f"--machine=bl-{self._place.lab_id}-{self.name}", f"--hostname={self.name}"),
            *(f"--network-namespace-path={namespace}", "--capability=CAP_NET_ADMIN"),
            *("--console=read-only", "--link-journal=no", "--resolv-conf=off", "--timezone=off"),
            *(f"--bind={self._place.shared}:/shared", *binds),
        ]
        addresses = self._folder / "addresses"
        addresses.write_text(self._place.network.addresses(self.index))
        files = [str(namespace), str(addresses), str(self._cgroup / "cgroup.procs")]
        supervisor = ["unshare", "--mount", "sh", "-c", _SUPERVISOR, "supervisor", *files]
        environment = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_LOCK": "0"}
        self._supervisor = spawn(f"host-{self.name}", supervisor + command, self._place.state, env=environment)
        wait_until(lambda: self.is_on, timeout_s=5, what=f"power at {self.name}", every_s=0.002)

    def _off_for_good(self) -> None:
        kill_cgroup(self._payload)
        if self._supervisor is not None:
            with suppress(subprocess.TimeoutExpired):
                self._supervisor.process.wait(timeout=0.5)
            kill_cgroup(self._cgroup)
            self._supervisor.kill()
            self._supervisor = None
            self._place.network.unplug(self.name)
        self.thaw()


def lab_cgroup(lab_id: str) -> Path:
    root = cgroup2_root()
    if root is None:
        raise LabError("No cgroup v2 hierarchy is mounted: run `mount -t cgroup2 none /sys/fs/cgroup/unified`.")
    return root / "backstay-lab" / lab_id


def kill_cgroup(cgroup: Path) -> None:
    """Kill everything below at once, frozen or not, and come back when nothing lives."""
    with suppress(FileNotFoundError):
        (cgroup / "cgroup.kill").write_text("1")
        wait_until(
            lambda: "populated 0" in _read(cgroup / "cgroup.events"),
            timeout_s=10,
            what=f"the end of all processes in {cgroup.name}",
            every_s=0.001,
        )


def remove_cgroup(cgroup: Path) -> None:
    """The folders, in every hierarchy that systemd-nspawn left some in. Nothing lives there any more."""
    root = cgroup2_root()
    assert root is not None and cgroup.is_relative_to(root)
    for hierarchy in {root, root.parent / "systemd"}:
        for folder, _, _ in os.walk(hierarchy / cgroup.relative_to(root), topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def _descendants(pid: int, *, depth: int) -> Iterator[int]:
    for child in map(int, _read(Path(f"/proc/{pid}/task/{pid}/children")).split()):
        yield child
        if depth > 1:
            yield from _descendants(child, depth=depth - 1)


def _is_pid_one(pid: int) -> bool:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("NSpid:"):
            return line.split()[-1] == "1" and len(line.split()) > 2
    return False


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
