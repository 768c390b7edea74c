"""Two network namespaces with a cable between them: a host of ours, and a neighbour who has to notice."""

import asyncio
import ctypes
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backstay_agent.drivers.address.driver import VirtualIPDriver
from backstay_agent.drivers.address.netlink import RTM_DELADDR, decode, read_address
from backstay_agent.drivers.base import Seen
from backstay_api.objects.plain import RenderedResource, VirtualIP

STALE = "02:00:00:00:00:99"
ON_ANY_LINK = ("198.51.100.7/24", "198.51.100.7/32", "2001:db8:1::7/128")
BOTH = pytest.mark.parametrize("address", ["192.0.2.10/24", "2001:db8::10/64"])


@dataclass(frozen=True)
class Cable:
    """We stand in `here`; `there` is a neighbour on the same cable."""

    here: str
    there: str

    def ip(self, where: str, *words: str) -> str:
        done = subprocess.run(["ip", "-n", where, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def mac(self, where: str) -> str:
        return self.ip(where, "link", "show", "eth0").split("link/ether ")[1].split()[0]

    def neighbour_entry(self, address: str) -> str:
        return self.ip(self.there, "neigh", "show", address.split("/")[0])

    def addresses(self) -> str:
        return self.ip(self.here, "-oneline", "addr", "show", "dev", "eth0")

    def sysctl(self, name: str, value: str = "") -> str:
        """Read it here, or write it."""
        do = f"echo {value} >/proc/sys/net/{name}" if value else f"cat /proc/sys/net/{name}"
        return subprocess.run(
            ["ip", "netns", "exec", self.here, "sh", "-c", do], capture_output=True, text=True, check=True
        ).stdout.strip()

    def answers(self, ip: str, *, by: str) -> bool:
        """Somebody at that address answers to this one of ours, be it only that there is nothing on that port."""
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as door:
            door.settimeout(0.3)
            try:
                door.bind((by, 0))
                door.connect((ip, 9))
            except ConnectionRefusedError:
                return True
            except OSError:
                return False
        return True

    def says(self, frames: list[bytes], on: str = "eth0") -> None:
        """The neighbour sends these."""
        with (
            _standing_in(self.there),
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender,
        ):
            for frame in frames:
                sender.sendto(frame, (on, 0))

    @contextmanager
    def monitor(self) -> Iterator[Callable[[], str]]:
        """The addresses that were taken away from here on. The kernel tells before the change is over."""
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as receiver:
            receiver.bind((0, 0x10 | 0x100))
            receiver.setblocking(False)

            def told() -> str:
                removed: list[str] = []
                with suppress(BlockingIOError):
                    while True:
                        messages = [one for one in decode(receiver.recv(65536)) if one.type == RTM_DELADDR]
                        removed += [str(read_address(message.body)) for message in messages]
                return "\n".join(removed)

            yield told


SEEN: list[Seen] = []


async def gather(change: Callable[[], Awaitable[Seen]]) -> None:
    """All that is told, into `SEEN`."""
    SEEN.clear()
    while True:
        SEEN.append(await change())


def routes(cable: Cable) -> str:
    return cable.ip(cable.here, "route") + "\n" + cable.ip(cable.here, "-6", "route")


def make(cable: Cable) -> None:
    """A second interface, as network scripts make it."""
    cable.ip(cable.here, "link", "add", "svc0", "link", "eth0", "type", "macvlan", "mode", "bridge")
    cable.ip(cable.here, "link", "set", "svc0", "up")


def now_s() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
def cable() -> Iterator[Cable]:
    if os.geteuid() != 0:
        pytest.fail("network namespaces need root")
    tag = uuid4().hex[:6]
    pair = Cable(f"bs-{tag}-a", f"bs-{tag}-b")
    for name in (pair.here, pair.there):
        subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        pair.ip(pair.here, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", pair.there)
        for number, name in enumerate((pair.here, pair.there), start=1):
            pair.ip(name, "addr", "add", f"192.0.2.{number}/24", "dev", "eth0")
            pair.ip(name, "addr", "add", f"2001:db8::{number}/64", "dev", "eth0", "nodad")
            pair.ip(name, "link", "set", "eth0", "up")
        pair.ip(pair.here, "route", "add", "default", "via", "192.0.2.254")
        with _standing_in(pair.here):
            yield pair
    finally:
        for name in (pair.here, pair.there):
            subprocess.run(["ip", "netns", "del", name], check=True)


class _standing_in:
    """This thread's sockets belong to that namespace from now on."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._enter(os.open(f"/run/netns/{self._name}", os.O_RDONLY))

    def __exit__(self, *_: object) -> None:
        self._enter(self._home)

    def _enter(self, namespace: int) -> None:
        try:
            assert ctypes.CDLL(None, use_errno=True).setns(namespace, 0x40000000) == 0
        finally:
            os.close(namespace)


@pytest.fixture
def driver(cable: Cable, tmp_path: Path) -> VirtualIPDriver:
    return VirtualIPDriver(notes=tmp_path / "notes")


def vip(address: str, interface: str | None = None, **more: Any) -> RenderedResource:
    return RenderedResource(name="address", virtual_ip=VirtualIP(address=address, interface=interface, **more))


def play(story: Callable[[], Awaitable[None]], *, limit_s: float = 20) -> None:
    async def limited() -> None:
        async with asyncio.timeout(limit_s):
            await story()

    asyncio.run(limited())


async def until(told: Callable[[], bool]) -> None:
    """The neighbour is another kernel stack; it tells us nothing by itself."""
    while not told():
        await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(driver: VirtualIPDriver, resource: RenderedResource) -> AsyncIterator[Callable[[], Awaitable[Seen]]]:
    async with aclosing(driver.changes(resource)) as changes:
        yield changes.__anext__
