"""Where an address belongs on a host, and how it is laid so that nobody else's go with it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface

import pytest

from backstay_agent.drivers.address.netlink import (
    IFF_LOOPBACK,
    NLMSG_ERROR,
    OURS,
    Address,
    Link,
    Message,
    _raise_if_refused,
)
from backstay_agent.drivers.address.places import Sight, find_link, laid
from backstay_api.objects.plain import VirtualIP

ETH0, BR0 = Link(1, "eth0"), Link(2, "br0")
WANT = ip_interface("192.0.2.10/24")
OWN = Address(1, ip_interface("192.0.2.1/24"))
LEFT = Address(2, ip_interface("192.0.2.20/25"), OURS)


def found(*addresses: Address, links: tuple[Link, ...] = (ETH0, BR0), interface: str | None = None) -> Link | str:
    sight = Sight(addresses, {link.index: link for link in links})
    spec = VirtualIP(address=str(WANT), interface=interface)
    return find_link(WANT, spec, sight, lambda address: address.protocol == OURS)


def test_it_goes_where_the_host_has_an_address_of_its_own() -> None:
    assert found(OWN) == ETH0
    assert found(OWN, replace(OWN, index=2, interface=ip_interface("192.0.2.2/25"))) == BR0, "the nearest"


def test_what_we_have_put_somewhere_draws_no_other_there() -> None:
    """It may have been put there by an older order: two wrong ones would hold each other."""
    assert found(OWN, LEFT) == ETH0
    assert "no interface of this host has an address in 192.0.2.0/24" in str(found(LEFT))


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(replace(ETH0, flags=IFF_LOOPBACK), id="nobody reaches it there"),
        pytest.param(replace(ETH0, port_of=2), id="all that arrives there is the bridge's"),
    ],
)
def test_where_nobody_would_reach_it_it_does_not_go(link: Link) -> None:
    assert "name one with `interface`" in str(found(OWN, links=(link, BR0)))


def test_a_port_is_not_taken_be_it_named() -> None:
    said = found(OWN, links=(replace(ETH0, port_of=2), BR0), interface="eth0")
    assert said == "eth0 is a port of br0, where all that arrives on it goes: name br0"


@pytest.mark.parametrize(
    ("want", "whole"), [("192.0.2.10/24", "192.0.2.10/32"), ("2001:db8::10/64", "2001:db8::10/128")]
)
def test_it_is_laid_as_a_subnet_of_its_own_and_marked(want: str, whole: str) -> None:
    address = laid(ip_interface(want), VirtualIP(address=want), ETH0)
    assert (str(address.interface), address.protocol) == (whole, OURS)


def test_what_the_kernel_refuses_is_not_taken_for_done() -> None:
    with pytest.raises(FileExistsError):
        _raise_if_refused(Message(NLMSG_ERROR, (-17).to_bytes(4, "little", signed=True)))
    _raise_if_refused(Message(NLMSG_ERROR, bytes(4)))
