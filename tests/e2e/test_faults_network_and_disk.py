"""Addresses that have company, links that blink, disks that are full: what other people's clusters stumbled over (the cases of issue 6)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.shell import wait_until
from backstay_dev.show.fault_lab import FaultLab, Play

pytestmark = [pytest.mark.api, pytest.mark.hosts]

FIRST, SECOND, HOSTS_OWN = "198.51.100.101", "198.51.100.102", "198.51.100.12"
SIX = "2001:db8:1::101"


@pytest.fixture
def second_interface(fault_lab: FaultLab) -> Iterator[FaultLab]:
    """Every host has one more interface, without any address."""
    for host in fault_lab.lab.hosts.values():
        make(host)
    try:
        yield fault_lab
    finally:
        for host in fault_lab.lab.hosts.values():
            if host.is_on:
                host.run("ip", "link", "del", "svc0", check=False)


def make(host: LabHost) -> None:
    host.run("ip", "link", "add", "svc0", "link", "eth0", "type", "macvlan", "mode", "bridge")
    host.run("ip", "link", "set", "svc0", "up")


def on_svc0(*addresses: str) -> list[dict[str, object]]:
    return [
        {"name": f"extra{number}", "virtualIP": {"address": address, "interface": "svc0"}}
        for number, address in enumerate(addresses)
    ]


def addresses(host: LabHost) -> str:
    return host.run("ip", "-brief", "address", "show", "dev", "svc0", check=False)


@contextmanager
def monitored(host: LabHost) -> Iterator[None]:
    """All that its kernel tells of addresses goes into /run/monitor."""
    host.run("systemd-run", "--unit=monitor", "sh", "-c", "exec ip monitor address >/run/monitor")
    wait_until(lambda: "ip monitor" in host.run("ps", "axo", "args"), timeout_s=10, what="the monitor")
    time.sleep(0.3)
    try:
        yield
    finally:
        host.run("systemctl", "stop", "monitor")


def restarts(play: Play, host: str) -> int:
    reports = play.fault_lab.product.get("hostassignments", host)["status"]["instances"].values()
    return sum(report.get("restarts", 0) for report in reports if report["name"] == f"{play.name}-0")


def why_not(play: Play, host: str) -> str:
    """What the host says of being ready for it."""
    status = play.fault_lab.product.get("hostassignments", host).get("status", {})
    return str(status.get("standbys", {}).get(play.instance["metadata"]["uid"], {}).get("why", ""))


def test_a_service_that_moves_away_takes_no_address_of_another_along(second_interface: FaultLab) -> None:
    fault_lab, n1 = second_interface, second_interface.lab["n1"]
    with (
        fault_lab.playing("alpha", on="n1", resources=on_svc0(f"{FIRST}/24")) as alpha,
        fault_lab.playing("beta", on="n1", resources=on_svc0(f"{SECOND}/24")) as beta,
    ):
        with monitored(n1):
            fault_lab.backstay("move", "alpha", "--to", "n2")
            alpha.until_running(on="n2")
        told = n1.read_file("/run/monitor")
        assert "Deleted" in told and FIRST in told, "the monitor saw it"
        assert SECOND not in told
        assert restarts(beta, "n1") == 0 and beta.saw_nothing()
        # The worse form: an address that the host itself was given later.
        n1.run("ip", "address", "add", f"{HOSTS_OWN}/24", "dev", "svc0")
        fault_lab.backstay("move", "beta", "--to", "n2")
        beta.until_running(on="n2")
        assert f"{HOSTS_OWN}/24" in addresses(n1) and SECOND not in addresses(n1)


@pytest.mark.parametrize("pause_s", [0.3, 1.0])
def test_a_link_that_blinks_on_all_hosts_restarts_nothing(second_interface: FaultLab, pause_s: float) -> None:
    fault_lab, hosts = second_interface, second_interface.lab.hosts.values()
    name = f"flap-{int(pause_s * 10)}"
    with fault_lab.playing(name, on="n1", resources=on_svc0(f"{FIRST}/24", f"{SIX}/64")) as flap:
        for host in hosts:
            host.run("ip", "link", "set", "svc0", "down")
        time.sleep(pause_s)
        for host in hosts:
            host.run("ip", "link", "set", "svc0", "up")
        n1 = fault_lab.lab["n1"]
        fault_lab.until(lambda: FIRST in addresses(n1) and SIX in addresses(n1), "both addresses", timeout_s=5)
        flap.until_running(on="n1", timeout_s=10)
        assert flap.saw_nothing() and restarts(flap, "n1") == 0


def test_an_interface_that_is_gone_for_good_moves_the_service(second_interface: FaultLab) -> None:
    fault_lab, n1 = second_interface, second_interface.lab["n1"]
    with fault_lab.playing("gone", on="n1", resources=on_svc0(f"{FIRST}/24")) as gone:
        n1.run("ip", "link", "del", "svc0")
        make(n1)
        fault_lab.until(lambda: FIRST in addresses(n1), "the address on the interface that was made anew", timeout_s=5)
        assert gone.saw_nothing()
        n1.run("ip", "link", "del", "svc0")
        gone.until_running(other_than="n1", timeout_s=30)


def test_a_full_run_moves_the_service_and_says_so(fault_lab: FaultLab) -> None:
    """It wants to write below /run at its start, and is killed while that is full."""
    n1 = fault_lab.lab["n1"]
    for host in fault_lab.lab.hosts.values():
        writes = "[Service]\nExecStartPre=/bin/sh -c 'head -c 65536 /dev/zero >/run/full-service.$$$$'\n"
        host.write_file("/etc/systemd/system/tick-full.service.d/10-run.conf", writes)
    with fault_lab.playing("full", on="n1") as full:
        try:
            n1.run("mount", "-o", "remount,size=24m", "/run")
            n1.run(
                "sh",
                "-c",
                "dd if=/dev/zero of=/run/fill bs=64k; while head -c 4096 /dev/zero >>/run/fill2; do :; done",
                check=False,
            )
            n1.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "tick-full.service")
            full.until_running(other_than="n1", timeout_s=60)
            fault_lab.until(
                lambda: "/run/backstay has only" in why_not(full, "n1"), "why n1 is not ready", timeout_s=30
            )
        finally:
            n1.run("rm", "-f", "/run/fill", "/run/fill2")
            n1.run("mount", "-o", "remount,size=20%", "/run")
        fault_lab.until(lambda: why_not(full, "n1") == "", "n1 to be ready again", timeout_s=30)


def test_a_host_without_the_probes_program_is_not_ready(fault_lab: FaultLab) -> None:
    fault_lab.lab["n1"].write_file("/usr/local/bin/is-checked", "#!/bin/sh\nexit 0\n", 0o755)
    probe = {"name": "well", "exec": {"command": ["/usr/local/bin/is-checked"]}, "period": "1s", "timeout": "500ms"}
    server = {"name": "checked", "systemd": {"unit": "checked.service"}, "probes": [probe]}
    for host in fault_lab.lab.hosts.values():
        host.install_unit("checked.service", "[Service]\nExecStart=/usr/bin/sleep infinity\n")
    with fault_lab.playing("checked", on="n1", resources=[server]):
        said = fault_lab.backstay("explain", "checked")
        assert "probe well could not be asked: /usr/local/bin/is-checked is not installed" in said
        assert "n2 chosen" not in said


def test_what_runs_already_is_named_with_its_remedy_and_its_stop_is_seen_at_once(fault_lab: FaultLab) -> None:
    for host in fault_lab.lab.hosts.values():
        host.install_unit("pkg.service", "[Service]\nExecStart=/usr/bin/sleep infinity\n")
        host.run("systemctl", "start", "pkg.service")
    play = fault_lab.put_on("pkg", resources=[{"name": "pkg", "systemd": {"unit": "pkg.service"}}], wait=False)
    try:
        why = "pkg.service is active and was not started by Backstay: systemctl stop pkg.service"

        fault_lab.until(
            lambda: all(why in why_not(play, host) for host in fault_lab.lab.hosts), "all three say it", timeout_s=30
        )
        fault_lab.lab["n2"].run("systemctl", "stop", "pkg.service")
        fault_lab.until(lambda: why not in why_not(play, "n2"), "its stop to be seen", timeout_s=5)
        for name in ("n1", "n3"):
            fault_lab.lab[name].run("systemctl", "stop", "pkg.service")
        play.until_running()
    finally:
        fault_lab.take_off("pkg")
