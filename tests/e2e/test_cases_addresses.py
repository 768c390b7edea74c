"""Other people's bug reports about addresses: several in a subnet, links that flap, somebody else's own address."""

import socket
from ipaddress import ip_address

import pytest

from backstay_agent.drivers.address.frames import announcements
from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.network import BRIDGE
from backstay_dev.show.fault_lab import FaultLab, Play
from backstay_testing.cases import (
    ALL,
    applied,
    case,
    free_address,
    has_address,
    holding,
    kill_main,
    labelled,
    main_pid,
    make_interface,
    move,
    restarts,
    running_on,
    second_interface,
    until_ready,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]

FAMILIES = {
    "4": ("198.51.100.101", "198.51.100.102", "198.51.100.12", 24),
    "6": ("2001:db8:7::101", "2001:db8:7::102", "2001:db8:7::12", 64),
}


def on_svc0(address: str, prefix: int) -> list[dict[str, object]]:
    return [{"name": "address", "virtualIP": {"address": f"{address}/{prefix}", "interface": "svc0"}}]


class Deleted:
    """What the kernel says of addresses that go, from now on."""

    def __init__(self, host: LabHost) -> None:
        self._host = host
        host.run(
            "systemd-run",
            "--quiet",
            "--collect",
            "--unit=watch-addresses",
            "sh",
            "-c",
            "exec ip -o monitor address >/run/addresses",
        )

    def of(self, address: str) -> list[str]:
        return [
            line
            for line in self._host.read_file("/run/addresses").splitlines()
            if line.startswith("Deleted") and address in line
        ]

    def end(self) -> None:
        self._host.run("systemctl", "stop", "watch-addresses.service")


@pytest.mark.parametrize("family", ["4", "6"])
def test_02_one_of_two_addresses_of_a_subnet_leaves_and_the_other_does_not_notice(
    fault_lab: FaultLab, family: str
) -> None:
    """Debian leaves promote_secondaries at 0: with the first address of a subnet the kernel takes all the others away."""
    first, second, own, prefix = FAMILIES[family]
    n1, n2 = fault_lab.lab["n1"], fault_lab.lab["n2"]
    with (
        second_interface(fault_lab),
        case(fault_lab, f"case02-alpha{family}", resources=on_svc0(first, prefix), on="n1") as alpha,
        case(fault_lab, f"case02-beta{family}", resources=on_svc0(second, prefix), on="n1") as beta,
    ):
        deleted = Deleted(n1)
        move(alpha, "n2")
        alpha.until_running(on="n2")
        assert deleted.of(first) and not deleted.of(second)
        deleted.end()
        assert has_address(n1, second) and beta.saw_nothing() and restarts(beta, "n1") == 0
        n2.run("ip", "address", "add", f"{own}/{prefix}", "dev", "svc0")
        move(alpha, "n1")
        alpha.until_running(on="n1")
        assert has_address(n2, own), "the host's own address, that came after ours"
        assert not has_address(n2, first)


def test_07_a_blink_of_the_link_restarts_nothing_and_the_addresses_come_back(fault_lab: FaultLab) -> None:
    addresses = [
        {"name": "address", "virtualIP": {"address": "198.51.100.107/24"}},
        {"name": "address6", "virtualIP": {"address": "2001:db8:1::107/64", "interface": "svc0"}},
    ]
    with second_interface(fault_lab, own=True), case(fault_lab, "case07", resources=addresses, on="n1") as play:
        n1 = fault_lab.lab["n1"]
        n1.run("sh", "-c", "ip link set svc0 down; sleep 0.3; ip link set svc0 up")
        fault_lab.until(
            lambda: (
                has_address(n1, "198.51.100.107") and has_address(n1, "2001:db8:1::107") and play.is_running(on="n1")
            ),
            "both addresses on n1 again",
            also=lambda: f"{play.condition('Ready')}\n{n1.run('ip', '-o', 'address')}",
            timeout_s=15,
        )
        assert play.saw_nothing() and restarts(play, "n1") == 0
        n1.run("ip", "link", "del", "svc0")
        play.until_running(other_than="n1")
        assert play.evidence == "Released"
        make_interface(n1)


def test_08_the_own_address_of_a_host_is_refused_in_its_name(fault_lab: FaultLab) -> None:
    resources = [{"name": "address", "virtualIP": {"address": "192.0.2.12/24"}}]
    with case(fault_lab, "case08", resources=resources, wait=False) as play:
        says_whose(fault_lab, play)
        assert play.lives == [] and holding(fault_lab, "192.0.2.12") == ["n2"]


def test_08_nobody_takes_the_own_address_of_a_host_that_is_off_and_is_no_candidate(fault_lab: FaultLab) -> None:
    resources = [{"name": "address", "virtualIP": {"address": "192.0.2.12/24"}}]
    fault_lab.lab["n2"].power_off()
    with (
        labelled(fault_lab, "n1", "08") as placement,
        case(fault_lab, "case08-off", resources=resources, wait=False, placement=placement) as play,
    ):
        says_whose(fault_lab, play)
        fault_lab.lab["n2"].power_on()
        fault_lab.product.wait_ready(timeout_s=60)
        assert play.lives == [] and holding(fault_lab, "192.0.2.12") == ["n2"]


def says_whose(fault_lab: FaultLab, play: Play) -> None:
    """Refused, and not as something that could be stopped there."""
    said = play.until_says("Accepted", "False", "192.0.2.12", "n2", timeout_s=20)
    assert "stop it" not in said


SERVER = """#!/usr/bin/python3
import os, socket, threading
def serve(family, where):
    door = socket.socket(family)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((where, 8019))
    door.listen()
    while True:
        peer, _ = door.accept()
        peer.sendall(b'here')
        peer.close()
threading.Thread(target=serve, args=(socket.AF_INET, '192.0.2.99')).start()
serve(socket.AF_INET6, '2001:db8::99')
"""


def test_19_a_server_that_binds_to_the_address_alone_starts_wherever_it_goes_in_both_families(
    fault_lab: FaultLab,
) -> None:
    unit = "[Service]\nExecStart=/usr/local/bin/case19\n"
    for host in fault_lab.lab.hosts.values():
        host.write_file("/usr/local/bin/case19", SERVER, mode=0o755)
        host.install_unit("case19.service", unit)
    resources = [
        {"name": "address", "virtualIP": {"address": "192.0.2.99/24"}},
        {"name": "address6", "virtualIP": {"address": "2001:db8::99/64"}},
        {"name": "server", "systemd": {"unit": "case19.service"}},
    ]
    with applied(fault_lab, "case19", {"resources": resources}):
        play = Play("case19", fault_lab, "192.0.2.99")
        first = until_ready(play)
        assert answers(fault_lab) == ["here", "here"]
        second = next(name for name in ALL if name != first)
        move(play, second)
        until_ready(play, on=second)
        assert answers(fault_lab) == ["here", "here"]
        before = main_pid(fault_lab.lab[second], "case19.service")
        kill_main(fault_lab.lab[second], "case19.service")
        fault_lab.until(lambda: main_pid(fault_lab.lab[second], "case19.service") not in (0, before), "a restart")
        fault_lab.until(lambda: answers(fault_lab) == ["here", "here"], "answers of the new process")
        fault_lab.lab[second].power_off()
        until_ready(play, other_than=second)
        fault_lab.until(lambda: answers(fault_lab) == ["here", "here"], "answers of both addresses from elsewhere")


def answers(fault_lab: FaultLab) -> list[str]:
    """What a client of each address reads."""
    found = []
    with fault_lab.lab.network.entered():
        for where in ("192.0.2.99", "2001:db8::99"):
            with socket.create_connection((where, 8019), timeout=2) as line:
                found.append(line.recv(100).decode())
    return found


def test_30_one_more_address_for_a_running_service_comes_on_the_same_host_in_the_same_epoch(
    fault_lab: FaultLab,
) -> None:
    with case(fault_lab, "case30") as play:
        more = free_address(fault_lab)
        resources = [*play.object["spec"]["resources"], {"name": "more", "virtualIP": {"address": f"{more}/24"}}]
        fault_lab.apply("case30", {"resources": resources})
        fault_lab.until(lambda: holding(fault_lab, more) == [play.first_host], "the new address, where the service is")
        play.until_running(on=play.first_host)
        assert play.epoch == 1 and holding(fault_lab, play.address) == [play.first_host]
        assert running_on(fault_lab, "case30.service") == [play.first_host]


def test_a_machine_that_takes_the_address_of_a_running_service_is_named_by_its_mac_to_whoever_reads(
    fault_lab: FaultLab,
) -> None:
    """As a laptop with a fixed address does, or the clone of an old virtual machine."""
    mac = "02:00:00:00:00:99"
    with case(fault_lab, "twice", on="n1") as play:
        said = f"{play.address} is in use twice: {mac} answered for it on eth0 as well"
        with fault_lab.lab.network.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
            for frame in announcements(ip_address(play.address), bytes.fromhex(mac.replace(":", ""))):
                wire.sendto(frame, (BRIDGE, 0))
        play.until_says("Degraded", "WorksPartly", said, timeout_s=20)
        fault_lab.until(
            lambda: any(said in event for event in fault_lab.events("HAService", "twice")),
            "an Event with that MAC",
            also=lambda: str(fault_lab.events("HAService", "twice")),
            timeout_s=20,
        )
        assert play.condition("Ready").startswith("True") and restarts(play, "n1") == 0 and play.saw_nothing()
