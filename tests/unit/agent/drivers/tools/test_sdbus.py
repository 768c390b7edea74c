"""A connection to D-Bus: read though sdbus does not listen, and its end is noticed."""

import asyncio
import socket

from backstay_agent.drivers.tools.bus import _Sdbus


class SilentBus:
    """As sdbus was seen under many signals: it has taken its reader away, and reads only when it is told to."""

    def __init__(self, ours: socket.socket) -> None:
        self._ours = ours
        self.read = b""

    def get_fd(self) -> int:
        return self._ours.fileno()

    def process(self) -> None:
        self.read += self._ours.recv(100)
        if b"broken" in self.read:
            raise ValueError("cannot be parsed")

    def close(self) -> None:
        self._ours.close()


def test_what_comes_in_is_read_though_sdbus_does_not_listen_and_a_hang_up_is_noticed() -> None:
    async def story() -> None:
        ours, theirs = socket.socketpair()
        lost = asyncio.Event()
        bus = SilentBus(ours)
        _Sdbus(bus, lost.set)
        theirs.send(b"an answer")
        async with asyncio.timeout(5):
            while bus.read != b"an answer":
                await asyncio.sleep(0)
            assert not lost.is_set()
            theirs.send(b"broken")
            await lost.wait()

    asyncio.run(story())
