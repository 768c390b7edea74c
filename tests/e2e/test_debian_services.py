"""Services as Debian packages them, enabled and running on every host as their packages leave them: handed over, moved, rebooted.

None of these units was written with Backstay in mind. Each must either run on one host and rest on the other, also after a boot, or be
refused with the name that is right.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backstay_dev.lab.hosts import LabHost, lab_cgroup
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.prerequisites import SERVICES_LAYER
from backstay_dev.lab.product import Enrolment
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab, Play
from backstay_testing.cases import applied, presses, until_ready, until_standby

pytestmark = [pytest.mark.api, pytest.mark.hosts]

LOOK_S = 0.02


@dataclass(frozen=True)
class Service:
    """What a package brings."""

    unit: str
    parts: tuple[str, ...] = ()
    """Other units of it, which start it or are started by it."""
    works_in: str = ""
    """The control group of its processes, where it is not the unit's own in the system's slice."""

    @property
    def name(self) -> str:
        return self.unit.partition(".")[0].replace("@", "-")

    @property
    def group(self) -> str:
        return self.works_in or f"system.slice/{self.unit}"


SERVICES = (
    Service("nginx.service"),
    Service("redis-server.service"),
    Service("haproxy.service"),
    Service("dnsmasq.service"),
    # Its socket is enabled, and stopped at a shutdown only after all services.
    Service("rpcbind.service", parts=("rpcbind.socket",)),
    # Not packages', but as theirs are. A script, from which a generator makes a unit at each boot:
    Service("oldstyle.service"),
    Service("pulse.timer", parts=("pulse.service",), works_in="system.slice/pulse.service"),
    Service("inbox.path", parts=("inbox.service",), works_in="system.slice/inbox.service"),
    Service("tenant@blue.service", works_in="tenants.slice/tenant@blue.service"),
)
_WORK = "ExecStart=/bin/sleep infinity\n"
UNITS = {
    "pulse.service": f"[Service]\nType=oneshot\n{_WORK}",
    "pulse.timer": "[Timer]\nOnActiveSec=100ms\nOnUnitInactiveSec=100ms\nAccuracySec=10ms\n[Install]\nWantedBy=timers.target\n",
    "inbox.service": f"[Service]\n{_WORK}",
    "inbox.path": "[Path]\nPathExists=/etc/hostname\n[Install]\nWantedBy=multi-user.target\n",
    "tenant@.service": f"[Service]\nSlice=tenants.slice\n{_WORK}[Install]\nWantedBy=multi-user.target\n",
}
ALIASES = {"redis.service": "redis-server.service", "portmap.service": "rpcbind.service"}
OLD_STYLE = """#!/bin/sh
### BEGIN INIT INFO
# Provides: oldstyle
# Required-Start: $remote_fs
# Required-Stop: $remote_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
. /lib/lsb/init-functions
case $1 in
start) start-stop-daemon --start --background --make-pidfile --pidfile /run/oldstyle.pid --exec /bin/sleep -- infinity ;;
stop) start-stop-daemon --stop --pidfile /run/oldstyle.pid ;;
esac
"""


@dataclass
class Watch:
    """Looks from outside, again and again, which hosts have a process of each service; two at once are a disgrace."""

    hosts: Path
    disgraces: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            for service in SERVICES:
                # The first once more at the end: it may have stopped between the two looks.
                one, other, still = (self._lives(service, host) for host in ("n1", "n2", "n1"))
                self.seen |= {f"{service.name} on {host}" for host, lives in (("n1", one), ("n2", other)) if lives}
                if one and other and still:
                    self.disgraces.add(service.name)

    def _lives(self, service: Service, host: str) -> bool:
        events = self.hosts / host / "payload" / service.group / "cgroup.events"
        try:
            return "populated 1" in events.read_text()
        except OSError:
            return False


@pytest.fixture(scope="module")
def stage() -> Iterator[FaultLab]:
    with Lab(2, progress=print, packages=SERVICES_LAYER) as lab:
        for host in lab.hosts.values():
            make_what_no_package_brings(host)
        # Nothing here is about how soon silence is noticed.
        yield FaultLab.open(lab, Enrolment(profile="default"))


def test_packaged_services_run_on_one_host_and_rest_on_the_other_also_after_boots(stage: FaultLab) -> None:
    hosts = stage.lab.hosts.values()
    assert {host.name: at_work(host) for host in hosts} == {host.name: list(SERVICES) for host in hosts}, "as installed"
    watch = Watch(lab_cgroup(stage.lab.id))
    with ExitStack() as cleaning:
        plays = [cleaning.enter_context(handed_over(stage, service)) for service in SERVICES]
        for service, play in zip(SERVICES, plays, strict=True):
            play.until_says("Ready", "False", f"systemctl stop {service.unit}", timeout_s=30)
        for host in hosts:
            host.run("systemctl", "stop", *every_unit())
        with watch.watching():
            live_through_everything(stage, plays)
        assert watch.disgraces == set()
        assert watch.seen == {f"{service.name} on {host.name}" for service in SERVICES for host in hosts}, "it looked"


def live_through_everything(stage: FaultLab, plays: list[Play]) -> None:
    n1, n2 = stage.lab["n1"], stage.lab["n2"]
    for play in plays:
        until_ready(play)
    for play in plays:
        if play.host != "n1":
            until_standby(play, "n1")
            stage.backstay("move", play.name, "--to", "n1", "-n", NAMESPACE)
            until_ready(play, on="n1")
    assert (at_work(n1), at_work(n2)) == (list(SERVICES), [])

    n2.reboot()
    stage.product.wait_ready(timeout_s=60)
    assert at_work(n2) == [], "enabled, and not started at boot"
    for play in plays:
        until_standby(play, "n2")

    before = n1.boot_id
    n1.run("systemctl", "reboot")
    for play in plays:
        until_ready(play, on="n2")
    n1.wait_booted(after=before)
    stage.product.wait_ready(timeout_s=60)
    assert (at_work(n1), at_work(n2)) == ([], list(SERVICES))
    assert {play.name: play.evidence for play in plays} == {play.name: "Released" for play in plays}
    assert "off" not in presses(stage, "n1")


def test_another_name_of_a_unit_is_refused_with_the_right_one(stage: FaultLab) -> None:
    for alias, unit in ALIASES.items():
        with handed_over(stage, Service(alias)) as play:
            play.until_says("Ready", "False", f"{alias} is another name of {unit}: name that one", timeout_s=30)


def make_what_no_package_brings(host: LabHost) -> None:
    for name, text in UNITS.items():
        host.write_file(f"/etc/systemd/system/{name}", text)
    host.write_file("/etc/init.d/oldstyle", OLD_STYLE, mode=0o755)
    host.run("update-rc.d", "oldstyle", "defaults")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "oldstyle.service")
    host.run("systemctl", "enable", "--now", "pulse.timer", "inbox.path", "tenant@blue.service")


@contextmanager
def handed_over(stage: FaultLab, service: Service) -> Iterator[Play]:
    """An HAService with this unit and nothing else, deleted when this ends."""
    with applied(stage, service.name, {"resources": [{"name": "server", "systemd": {"unit": service.unit}}]}):
        yield Play(service.name, stage, "")


def at_work(host: LabHost) -> list[Service]:
    """Of which something is active there, or being started (as a oneshot unit is that works)."""
    found = host.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating", *every_unit())
    names = {line.split()[0] for line in found.splitlines()}
    return [one for one in SERVICES if names & {one.unit, *one.parts}]


def every_unit() -> list[str]:
    return [unit for service in SERVICES for unit in (service.unit, *service.parts)]
