"""The whole lab in one piece: control plane, network, hosts, BMCs, relay; up within seconds, down without a trace.

    with Lab(hosts=3, progress=print) as lab:
        lab.plane.kubectl("get", "nodes")
        lab["n1"].power_off()
        lab.bmcs["n2"].knobs.unreachable = True

Several labs may stand side by side. Each has a state folder under `/run/backstay-lab` and holds a lock there for as long
as its process lives; `sweep()`, which every new lab begins with, removes what a lab without an owner left behind.
"""

import atexit
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from backstay_dev.lab import prerequisites
from backstay_dev.lab.agent_files import ensure_agent_files
from backstay_dev.lab.bmc import Bmc, BmcBay
from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.hosts import HostPlace, LabHost, kill_cgroup, lab_cgroup, remove_cgroup
from backstay_dev.lab.image import SUITE, ensure_image
from backstay_dev.lab.layers import ensure_layer
from backstay_dev.lab.network import BRIDGE_ADDRESS, BRIDGE_ADDRESS6, LabNetwork, host_address, host_address6
from backstay_dev.lab.poller import Poller
from backstay_dev.lab.relay.relay import Relay
from backstay_dev.lab.shell import Child, LabError, Progress, call, end_recorded, silent, spawn_python

LABS: Final = Path("/run/backstay-lab")
# Where a host finds the agent's code.
AGENT_CODE: Final = "/opt/backstay"


class Lab:
    """`hosts`: how many (they are called n1, n2, …), or their names.

    `packages`: Debian's, installed on all of them. `suite`: Debian's name of theirs.
    """

    def __init__(
        self,
        hosts: int | Sequence[str] = 3,
        *,
        progress: Progress = silent,
        doors: Sequence[str] = ("operator", "fencer", "operator-b"),
        packages: Sequence[str] = (),
        suite: str = SUITE,
    ) -> None:
        self.id = secrets.token_hex(3)
        self.state = LABS / self.id
        self.shared = self.state / "shared"
        self.network = LabNetwork(self.id)
        self.hosts: dict[str, LabHost] = {}
        self._names = [f"n{number + 1}" for number in range(hosts)] if isinstance(hosts, int) else list(hosts)
        self._doors = tuple(doors)
        self._packages = tuple(packages)
        self._suite = suite
        self._progress = progress
        self._lock: IO[str] | None = None
        self._plane: ControlPlane | None = None
        self._relay: Relay | None = None
        self._bay: BmcBay | None = None
        self._children: list[Child] = []

    # Life

    def __enter__(self) -> "Lab":
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def up(self) -> None:
        """Everything stands and answers when this comes back; if it fails, or is interrupted, nothing is left."""
        prerequisites.check()
        sweep(self._progress)
        atexit.register(self.down)
        try:
            self._claim()
            self._build()
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Take everything away; a second time does nothing. Ctrl-C meanwhile does not stop it half way."""
        atexit.unregister(self.down)
        with _uninterrupted():
            for step in self._ways_down():
                # Whatever happens to one step, the others are tried; the last one removes what any of them left.
                with suppress(LabError, OSError, subprocess.TimeoutExpired):
                    step()
            self._children, self._bay, self._relay, self._plane, self.hosts = [], None, None, None, {}

    def _ways_down(self) -> Iterator[Callable[[], object]]:
        yield from (child.kill for child in reversed(self._children))
        yield from (part.down for part in (self._bay, self._relay) if part is not None)
        yield from (host.remove for host in self.hosts.values())
        if self._plane is not None:
            yield self._plane.stop
        yield self._release

    def tidy(self) -> None:
        """Undo every fault: relay, cuts, freezes, BMCs, power, the control plane's own parts."""
        self.relay.clear()
        for bmc in self.bmcs.values():
            bmc.repair()
        for host in self.hosts.values():
            host.heal()
            host.thaw()
            host.power_on(wait=False)
        self.plane.start()
        for host in self.hosts.values():
            host.wait_booted()

    # Parts

    def __getitem__(self, name: str) -> LabHost:
        return self.hosts[name]

    @property
    def plane(self) -> ControlPlane:
        assert self._plane is not None, "the lab is not up"
        return self._plane

    @property
    def relay(self) -> Relay:
        assert self._relay is not None, "the lab is not up"
        return self._relay

    @property
    def bmcs(self) -> Mapping[str, Bmc]:
        assert self._bay is not None, "the lab is not up"
        return self._bay.bmcs

    @property
    def assets_path(self) -> Path:
        """The folder with kubectl, for a PATH."""
        return self.plane.assets.kubectl.parent

    def poller(self, url: str, *, every_s: float = 0.01) -> Poller:
        """A client in the lab's network."""
        return Poller(url, network=self.network, every_s=every_s)

    def kubeconfig(self, namespace: str, service_account: str, *, door: str) -> Path:
        """Exactly that ServiceAccount's rights, through this door of the relay."""
        return self.plane.kubeconfig_for(namespace, service_account, server=self.relay.url(door))

    def run_outside(
        self, name: str, module: str, arguments: Sequence[str | Path], *, env: Mapping[str, str] | None = None
    ) -> Child:
        """Start one of our programs on the outer machine; it ends with the lab at the latest."""
        child = spawn_python(name, module, arguments, self.state, env=env)
        self._children.append(child)
        return child

    # Below: how.

    def _claim(self) -> None:
        # Locked before it can be seen, or another lab that sweeps just now would take us for dead.
        newborn = LABS / f".{self.id}"
        (newborn / "shared").mkdir(parents=True)
        self._lock = (newborn / "owner.lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (newborn / "lab.json").write_text(json.dumps({"id": self.id, "pid": os.getpid()}))
        newborn.rename(self.state)

    def _build(self) -> None:
        image = ensure_image(self._progress, self._suite)
        layer = ensure_layer(self._packages, self._progress, self._suite) if self._packages else None
        agent_files = ensure_agent_files(image)
        self._plane = ControlPlane(
            self.state / "control-plane", progress=self._progress, also_known_as=[BRIDGE_ADDRESS, BRIDGE_ADDRESS6]
        )
        # The server takes its three seconds while the hosts boot.
        self._plane.start_etcd()
        self._plane.start_apiserver(wait=False)
        self._progress(f"starting {len(self._names)} hosts: {', '.join(self._names)}")
        self.network.up()
        place = HostPlace(self.id, self.state, image, self.shared, self.network, layer)
        for index, name in enumerate(self._names):
            host = self.hosts[name] = LabHost(name, index, place, {agent_files: AGENT_CODE})
            host.make()
            host.write_file("/etc/backstay/ca.crt", self._plane.ca_file.read_text())
            host.power_on(wait=False)
        self._start_bmcs_and_relay()
        for host in self.hosts.values():
            host.wait_booted()
        self._plane.wait_ready()
        self._progress("the control plane is ready and the hosts are up")

    def _start_bmcs_and_relay(self) -> None:
        addresses = {
            address(index): name for index, name in enumerate(self._names) for address in (host_address, host_address6)
        }
        pair = self.plane.authority.issue("bmc", ["127.0.0.1"])
        self._bay = BmcBay(list(self.hosts.values()), self.state, pair)
        self._relay = Relay(self.plane, self.state, network=self.network, hosts=addresses, doors=self._doors)
        self._relay.up()
        self._bay.up()

    def _release(self) -> None:
        _remove_remains(self.id)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def sweep(progress: Progress = silent) -> list[str]:
    """Remove what labs left whose process is gone; return their ids. Labs that live are left alone."""
    removed = []
    for state in sorted(LABS.glob("[!.]*")):
        try:
            with (state / "owner.lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                progress(f"removing what the dead lab {state.name} left")
                _remove_remains(state.name)
                removed.append(state.name)
        except BlockingIOError:
            continue
        except FileNotFoundError:
            _remove_remains(state.name)
    return removed


def _remove_remains(lab_id: str) -> None:
    """Processes, machines, networks, mounts, folders: whatever there still is of this lab."""
    state, cgroup = LABS / lab_id, lab_cgroup(lab_id)
    for records in (state / "pids", state / "control-plane" / "pids"):
        end_recorded(records)
    kill_cgroup(cgroup)
    LabNetwork(lab_id).down()
    for root in state.glob("hosts/*/root"):
        with suppress(LabError):
            call("umount", "--lazy", root)
    remove_cgroup(cgroup)
    shutil.rmtree(state, ignore_errors=True)
    with suppress(OSError):
        LABS.rmdir()
        cgroup.parent.rmdir()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM are remembered and take effect afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for missed in came:
            signal.raise_signal(missed)
