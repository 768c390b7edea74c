"""What an edit does to what runs: said of each resource, and never otherwise than it is done."""

from __future__ import annotations

import itertools

import pytest

from backstay_api.objects.edits import edits, same_watch, same_work
from backstay_api.objects.plain import Probe, RenderedResource, Systemd, TcpSocket, Timeouts, VirtualIP

SERVER = RenderedResource(name="server", systemd=Systemd(unit="a.service"))
ADDRESS = RenderedResource(name="address", virtual_ip=VirtualIP(address="192.0.2.10/24"))
DEFENDED = RenderedResource(name="address", virtual_ip=VirtualIP(address="192.0.2.10/24", on_duplicate="Restart"))
SILENT = RenderedResource(name="address", virtual_ip=VirtualIP(address="192.0.2.10/24", nodad=True))
OTHERS = (
    RenderedResource(name="server", systemd=Systemd(unit="b.service")),
    RenderedResource(name="server", systemd=Systemd(unit="a.service", overrides={"MemoryMax": "1G"})),
    RenderedResource(name="server", systemd=Systemd(unit="a.service", overrides={"LimitNOFILE": "9"})),
    RenderedResource(name="server", systemd=Systemd(unit="a.service"), reloaded_at="now"),
    RenderedResource(name="server", systemd=Systemd(unit="a.service"), timeouts=Timeouts(stop="9s")),
    RenderedResource(
        name="server",
        systemd=Systemd(unit="a.service"),
        probes=(Probe(name="alive", tcp_socket=TcpSocket(port=80)),),
    ),
)
MANIFESTS = [(), (SERVER,), (SERVER, ADDRESS), (ADDRESS, SERVER), *((one, ADDRESS) for one in OTHERS)]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ((SERVER, ADDRESS), []),
        ((ADDRESS, SERVER), [("address, server", "Restart")]),
        ((SERVER,), [("address", "Restart")]),
        ((OTHERS[0], ADDRESS), [("server", "Restart")]),
        ((OTHERS[1], ADDRESS), [("server", "Apply")]),
        ((OTHERS[2], ADDRESS), [("server", "Restart")]),
        ((OTHERS[3], ADDRESS), [("server", "Apply")]),
        ((OTHERS[4], ADDRESS), [("server", "None")]),
        ((OTHERS[5], ADDRESS), [("server", "None")]),
        ((SERVER, DEFENDED), [("address", "None")]),
        ((SERVER, SILENT), [("address", "Restart")]),
    ],
)
def test_it_is_said_of_each_resource(wanted: tuple[RenderedResource, ...], said: list[tuple[str, str]]) -> None:
    assert [(one.resource, one.effect) for one in edits((SERVER, ADDRESS), wanted)] == said


def test_a_watch_goes_on_unless_it_would_tell_something_else() -> None:
    assert same_watch(ADDRESS, ADDRESS) and same_watch(SERVER, OTHERS[4])
    assert not same_watch(ADDRESS, DEFENDED) and same_work([ADDRESS], [DEFENDED])
    assert not same_watch(ADDRESS, SILENT)


def test_a_restart_is_said_exactly_where_the_agent_makes_one() -> None:
    for before, wanted in itertools.product(MANIFESTS, repeat=2):
        says_restart = any(one.effect == "Restart" for one in edits(before, wanted))
        assert says_restart is not same_work(before, wanted), (before, wanted)
