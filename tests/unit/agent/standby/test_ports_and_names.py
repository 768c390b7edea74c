"""Ports on which a unit's own sockets would listen, and names that a probe asks: looked for on this very machine."""

from __future__ import annotations

import asyncio
import os
import socket
from ipaddress import ip_address

import pytest

from backstay_agent.drivers.systemd.needs import occupied
from backstay_agent.drivers.tools.ports import Listener
from backstay_agent.standby.needs import RealNeeds
from backstay_api.objects.plain import Probe, TcpSocket
from backstay_testing.agent_world import address


@pytest.mark.parametrize(
    ("holds", "wants", "v6_only", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", False, True),
        ("127.0.0.1", "127.0.0.2", False, False),
        ("0.0.0.0", "127.0.0.2", False, True),
        ("127.0.0.1", "0.0.0.0", False, True),
        ("127.0.0.1", "::", False, True),
        ("127.0.0.1", "::", True, False),
        ("::1", "::", True, True),
        ("::", "::1", False, True),
        ("::", "0.0.0.0", False, False),
        ("::1", "0.0.0.0", False, False),
    ],
)
def test_who_keeps_whom_from_listening(holds: str, wants: str, v6_only: bool, expected: bool) -> None:
    assert Listener(ip_address(holds), 80, 1).bars(ip_address(wants), v6_only=v6_only) is expected


def test_a_port_of_a_socket_unit_that_somebody_else_has_is_said_with_his_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]

        def told(*listen: tuple[str, str], **more: str) -> str | None:
            return asyncio.run(occupied("web.socket", {"Listen": list(listen), **more}))

        said = told(("Stream", "/run/web.sock"), ("Stream", f"[::]:{port}"))
        assert said and said.startswith(f"web.socket cannot listen on [::]:{port}: port {port} is held by ")
        assert f"(PID {os.getpid()}" in said and said.endswith(" already")
        assert told(("Stream", f"[::]:{port}"), BindIPv6Only="ipv6-only") is None
        assert told(("Datagram", f"127.0.0.1:{port}"), ("Stream", "vsock:2:80"), ("Stream", "@abstract:80")) is None
    assert told(("Stream", f"127.0.0.1:{port}")) is None


@pytest.mark.parametrize(
    ("host", "error", "expected"),
    [
        (
            "db.example",
            socket.EAI_NONAME,
            ["probe asks could not be asked: db.example does not resolve: no such name"],
        ),
        ("db.example", socket.EAI_AGAIN, []),
        ("192.0.2.7", None, []),
    ],
    ids=["nobody knows it", "nobody answers now, which passes", "an address"],
)
def test_a_name_that_a_probe_asks_and_nobody_knows(
    host: str, error: int | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*asked: object, **more: object) -> list[object]:
        if error is None:
            return []
        raise socket.gaierror(error, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    probe = Probe(name="asks", tcp_socket=TcpSocket(port=5432, host=host))
    assert asyncio.run(RealNeeds().of(address(probes=(probe,)), is_down=True)) == expected
