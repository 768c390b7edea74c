"""What the driver of addresses does in which order, on a kernel that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from ipaddress import ip_interface
from pathlib import Path

import pytest

from backstay_agent.drivers.address.driver import VirtualIPDriver
from backstay_agent.drivers.address.netlink import IFF_LOWER_UP, IFF_UP, Address, Interface, Link, Netlink, Route
from backstay_agent.drivers.address.packets import Wire
from backstay_agent.drivers.base import StartFailed
from backstay_api.objects.plain import RenderedResource, VirtualIP

WANT = "192.0.2.10/24"
VIP = RenderedResource(name="vip", virtual_ip=VirtualIP(address=WANT))


class Kernel(Netlink):
    """One link, with an address of the host's own; what is added to it is seen, and nothing else happens."""

    def __init__(self, note: Path) -> None:
        super().__init__()
        self._note = note
        self.there = [Address(1, ip_interface("192.0.2.1/24"))]
        self.noted_at_add: list[bool] = []
        self.refuses = ""

    async def add(self, address: Address, within: Interface) -> None:
        self.noted_at_add.append(self._note.exists())
        if self.refuses:
            raise OSError(self.refuses)
        self.there.append(address)

    async def add_route(self, wanted: Route) -> None:
        pass

    async def addresses(self) -> list[Address]:
        return list(self.there)

    async def links(self) -> dict[int, Link]:
        return {1: Link(1, "eth0", b"\2\0\0\0\0\1", IFF_UP | IFF_LOWER_UP)}

    async def gateways(self) -> set[str]:
        return set()

    async def events(self) -> AsyncGenerator[Address | Link | None, None]:
        yield None
        await asyncio.Event().wait()


class NoNeighbours(Wire):
    """Nobody is out there: what is sent comes to nobody."""

    def send(self, link: Link, frames: Sequence[bytes]) -> None:
        pass


def start(kernel: Kernel, notes: Path) -> None:
    async def story() -> None:
        await VirtualIPDriver(kernel, NoNeighbours(), notes=notes).start(VIP, timeout_s=5)

    asyncio.run(story())


@pytest.mark.parametrize("refuses", ["", "the link is gone"])
def test_an_address_is_noted_before_it_may_be_there(refuses: str, tmp_path: Path) -> None:
    """An agent that dies in between leaves a note too many, never an address that nobody knows to be ours."""
    note = tmp_path / "192.0.2.10"
    kernel = Kernel(note)
    kernel.refuses = refuses
    if refuses:
        with pytest.raises(StartFailed, match=refuses):
            start(kernel, tmp_path)
    else:
        start(kernel, tmp_path)
    assert kernel.noted_at_add == [True] and note.exists()
