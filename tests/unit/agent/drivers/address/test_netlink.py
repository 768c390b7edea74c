"""rtnetlink byte by byte: requests as iproute2 6.1 sends them (strace), answers as Linux 6.18 gave them."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.drivers.address.netlink import (
    IFA_F_DEPRECATED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    OURS,
    RTM_DELADDR,
    RTM_NEWADDR,
    Address,
    Link,
    Message,
    Route,
    add_address,
    decode,
    delete_address,
    encode,
    is_ours_from,
    read_address,
    read_gateway,
    read_link,
    route,
)

OUR_PROTOCOL = "05000b00b5000000"  # the one attribute that `ip` did not send

V4 = Address(3, ip_interface("192.0.2.10/24"), OURS, IFA_F_NOPREFIXROUTE, "va:bs")
V6 = Address(3, ip_interface("2001:db8::10/64"), OURS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_DEPRECATED)


@pytest.mark.parametrize(
    ("address", "as_ip_sends_it"),
    [
        pytest.param(
            V4,
            "0218000003000000 08000200c000020a 0a00030076613a6273000000 0800080000020000 08000100c000020a 08000400c00002ff",
            id="ip addr add 192.0.2.10/24 brd + dev va label va:bs noprefixroute",
        ),
        pytest.param(
            V6,
            "0a40000003000000 1400020020010db8000000000000000000000010 0800080002020000"
            " 1400010020010db8000000000000000000000010 1400060000000000ffffffff0000000000000000",
            id="ip addr add 2001:db8::10/64 dev va nodad noprefixroute preferred_lft 0",
        ),
    ],
)
def test_an_address_is_added_as_ip_would(address: Address, as_ip_sends_it: str) -> None:
    assert add_address(address, address.interface) == (RTM_NEWADDR, bytes.fromhex(as_ip_sends_it + OUR_PROTOCOL))


ETH0 = Link(3, "va")


@pytest.mark.parametrize(
    ("wanted", "as_ip_sends_it"),
    [
        pytest.param(
            Route(ETH0, ip_network("192.0.2.0/24"), 1_000_000_000, ip_address("192.0.2.10")),
            "02180000feb5fd0100000000 08000100c0000200 0800040003000000 0800060000ca9a3b 08000f00fe000000 08000700c000020a",
            id="ip route add 192.0.2.0/24 dev va scope link src 192.0.2.10 proto 181 metric 1000000000",
        ),
        pytest.param(
            Route(replace(ETH0, table=1001), ip_network("2001:db8::/64"), 1_000_000_000),
            "0a40000000b5000100000000 1400010020010db8000000000000000000000000 0800040003000000 0800060000ca9a3b"
            " 08000f00e9030000",
            id="ip -6 route add 2001:db8::/64 dev va proto 181 metric 1000000000 table 1001",
        ),
        pytest.param(
            Route(ETH0, ip_network("203.0.113.0/24"), 1, ip_address("192.0.2.10"), ip_address("198.51.100.1")),
            "02180000feb5000104000000 08000100cb007100 0800040003000000 08000500c6336401 0800060001000000"
            " 08000f00fe000000 08000700c000020a",
            id="ip route add 203.0.113.0/24 via 198.51.100.1 dev va onlink src 192.0.2.10 proto 181 metric 1",
        ),
    ],
)
def test_a_route_is_added_as_ip_would(wanted: Route, as_ip_sends_it: str) -> None:
    assert route(wanted) == bytes.fromhex(as_ip_sends_it)


def test_the_routes_of_a_vrf_stand_in_its_table() -> None:
    link = "00000100020000004310010000000000 0700030076610000"
    kind, table = "0800040076726600", "0c000580 08000100e9030000"
    found = read_link(bytes.fromhex(f"{link} 18001200 {kind} {table}"))
    assert found.name == "va" and found.table == 1001
    assert read_link(bytes.fromhex(link)).table == 254


@pytest.mark.parametrize(("kind", "port_of"), [("bridge", 7), ("bond", 7), ("vrf", 0)])
def test_whose_port_a_link_is_is_read(kind: str, port_of: int) -> None:
    name = kind.encode().ljust(8, b"\0").hex()
    body = f"00000100020000004310010000000000 0700030076610000 08000a0007000000 10001200 0c000400 {name}"
    assert read_link(bytes.fromhex(body)).port_of == port_of


@pytest.mark.parametrize(
    ("protocol", "source", "ours"), [("b5", "c000020a", True), ("b5", "c000020b", False), ("04", "c000020a", False)]
)
def test_a_route_of_ours_is_known_by_its_mark_and_its_source(protocol: str, source: str, ours: bool) -> None:
    body = bytes.fromhex(f"02180000fe{protocol}000100000000 08000100cb007100 08000700{source}")
    assert is_ours_from(body, ip_address("192.0.2.10")) is ours


def test_exactly_one_address_is_taken_away() -> None:
    body = bytes.fromhex("0218000003000000 08000200c000020a 08000100c000020a")
    assert delete_address(V4) == (RTM_DELADDR, body)


def test_a_message_with_its_header() -> None:
    # type RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL | NLM_F_CREATE, as strace showed
    head = encode(Message(RTM_NEWADDR, bytes.fromhex("ab"), 0x605, 7))
    assert head == bytes.fromhex("11000000 1400 0506 07000000 00000000 ab")


@pytest.mark.parametrize(
    ("body", "address"),
    [
        pytest.param(
            "0218810002000000 08000100c0000209 08000200c0000209 08000400c00002ff 0a00030076613a6273000000"
            " 0800080081000000 14000600fffffffffffffffffa3e0400fa3e0400",
            Address(2, ip_interface("192.0.2.9/24"), 0, 0x81, "va:bs"),
            id="v4, secondary, labelled",
        ),
        pytest.param(
            "0a40a20002000000 1400010020010db8000000000000000000000009 1400060000000000fffffffffa3e0400fa3e0400"
            " 08000800a2000000",
            Address(2, ip_interface("2001:db8::9/64"), 0, 0xA2),
            id="v6, deprecated, without duplicate detection",
        ),
        pytest.param(
            "0a4080fd02000000 14000100fe800000000000006c7a89fffeff857f 14000600ffffffffffffffff2531040025310400"
            " 0800080080000000 05000b0003000000",
            Address(2, ip_interface("fe80::6c7a:89ff:feff:857f/64"), 3, 0x80),
            id="v6, link-local, by the kernel itself",
        ),
    ],
)
def test_addresses_are_read(body: str, address: Address) -> None:
    assert read_address(bytes.fromhex(body)) == address


def test_on_a_point_to_point_link_our_own_end_is_read() -> None:
    body = bytes.fromhex("0220800002000000 08000100c0000202 08000200c0000201")
    found = read_address(body)
    assert found is not None and found.interface == ip_interface("192.0.2.1/32")


def test_other_families_are_no_addresses() -> None:
    assert read_address(bytes.fromhex("1c18810002000000 08000100c0000209")) is None


def test_links_are_read() -> None:
    body = bytes.fromhex("00000100020000004310010000000000 070003007661000008000d00e8030000 0a000100020000000001 0000")
    assert read_link(body) == Link(2, "va", bytes.fromhex("020000000001"), 0x11043, 1)
    assert read_link(body).is_up and read_link(body).has_neighbours


def test_loopback_has_no_neighbours() -> None:
    lo = read_link(bytes.fromhex("000004030100000049000100 00000000 070003006c6f0000 0a0001000000000000000000"))
    assert lo.name == "lo" and not lo.has_neighbours


@pytest.mark.parametrize(
    ("body", "gateway"),
    [
        ("02000000fe0300010000000008000f00fe00000008000500c00002fe0800040002000000", "192.0.2.254"),
        ("02180000fe02fd010000000008000f00fe00000008000100c000020008000700c00002010800040002000000", None),
    ],
)
def test_gateways_are_read(body: str, gateway: str | None) -> None:
    assert read_gateway(bytes.fromhex(body)) == gateway


@given(st.binary(max_size=300))
def test_no_datagram_can_hang_or_crash_the_reader(datagram: bytes) -> None:
    assert sum(len(message.body) for message in decode(datagram)) <= len(datagram)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_what_is_written_is_read(bodies: list[bytes]) -> None:
    messages = [Message(20, body, 5, number) for number, body in enumerate(bodies)]
    padded = b"".join(encode(message) + bytes(-len(message.body) % 4) for message in messages)
    assert list(decode(padded)) == messages
