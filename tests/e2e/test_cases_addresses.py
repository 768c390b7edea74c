"""Other people's bug reports about addresses: several in a subnet, links that flap, somebody else's own address."""

import pytest

from backstay_dev.theatre import Play, Theatre
from backstay_testing.cases import (
    ALL,
    applied,
    case,
    free_address,
    holding,
    kill_main,
    main_pid,
    move,
    running_on,
    until_ready,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]


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


def test_19_a_server_that_binds_to_the_address_alone_starts_wherever_it_goes_in_both_families(theatre: Theatre) -> None:
    unit = "[Service]\nExecStart=/usr/local/bin/case19\n"
    for host in theatre.lab.hosts.values():
        host.write_file("/usr/local/bin/case19", SERVER, mode=0o755)
        host.install_unit("case19.service", unit)
    resources = [
        {"name": "address", "virtualIP": {"address": "192.0.2.99/24"}},
        {"name": "address6", "virtualIP": {"address": "2001:db8::99/64"}},
        {"name": "server", "systemd": {"unit": "case19.service"}},
    ]
    with applied(theatre, "case19", {"resources": resources}):
        play = Play("case19", theatre, "192.0.2.99")
        first = until_ready(play)
        assert answers(theatre) == ["here", "here"]
        second = next(name for name in ALL if name != first)
        move(play, second)
        until_ready(play, on=second)
        assert answers(theatre) == ["here", "here"]
        before = main_pid(theatre.lab[second], "case19.service")
        kill_main(theatre.lab[second], "case19.service")
        theatre.until(lambda: main_pid(theatre.lab[second], "case19.service") not in (0, before), "a restart")
        theatre.until(lambda: answers(theatre) == ["here", "here"], "answers of the new process")
        theatre.lab[second].power_off()
        until_ready(play, other_than=second)
        theatre.until(lambda: answers(theatre) == ["here", "here"], "answers of both addresses from elsewhere")


def answers(theatre: Theatre) -> list[str]:
    """What a client of each address reads."""
    import socket

    found = []
    with theatre.lab.network.entered():
        for where in ("192.0.2.99", "2001:db8::99"):
            with socket.create_connection((where, 8019), timeout=2) as line:
                found.append(line.recv(100).decode())
    return found


def test_30_one_more_address_for_a_running_service_comes_on_the_same_host_in_the_same_epoch(theatre: Theatre) -> None:
    with case(theatre, "case30") as play:
        more = free_address(theatre)
        resources = [*play.object["spec"]["resources"], {"name": "more", "virtualIP": {"address": f"{more}/24"}}]
        theatre.apply("case30", {"resources": resources})
        theatre.until(lambda: holding(theatre, more) == [play.first_host], "the new address, where the service is")
        play.until_running(on=play.first_host)
        assert play.epoch == 1 and holding(theatre, play.address) == [play.first_host]
        assert running_on(theatre, "case30.service") == [play.first_host]
