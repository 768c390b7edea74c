"""A stop of what a server exports: by force once its server is gone, whatever became of the attempt before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from backstay_agent.drivers.mount import unmounting
from backstay_agent.drivers.mount.table import Mounted, Table
from backstay_agent.drivers.mount.unmounting import unmount
from backstay_agent.drivers.tools.file_system_looks import NoAnswer
from backstay_agent.drivers.tools.transient import Ended
from backstay_api.objects.plain import Mount
from backstay_testing.disks import Shell


@dataclass
class Silent(Shell):
    """Its server answers nobody: what is not forced hangs in the kernel, and cannot be killed either."""

    is_mounted: bool = True
    forced: list[bool] = field(default_factory=list)
    hidden_by: str = ""

    async def run(self, path: str, argv: Sequence[str], timeout_s: float) -> Ended:
        self.forced.append("-f" in argv)
        if not self.forced[-1]:
            await asyncio.sleep(timeout_s)
            raise NoAnswer("umount hangs in the kernel, and cannot be killed")
        self.is_mounted = False
        return Ended(0, "umount", "exited with 0")

    @property
    def table(self) -> Table:
        return ()

    @property
    def ours(self) -> list[Mounted]:
        one = Mounted(36, 1, "0:50", "/", "/srv/nas", frozenset(), "nfs4", "nas:/srv", frozenset())
        return [one] if self.is_mounted else []

    async def look(self) -> Silent:
        return self


@pytest.fixture(autouse=True)
def programs_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look for `umount` has a process of its own, which takes its time on a busy machine."""

    async def found(program: str) -> str:
        await asyncio.sleep(0)
        return f"/bin/{program}"

    monkeypatch.setattr(unmounting, "found", found)


def stop(server: Silent, device: str) -> str | None:
    return asyncio.run(unmount(server.look, server, Mount(device=device, path="/srv/nas"), 1.0))


def test_an_attempt_that_hangs_because_the_server_is_gone_is_followed_by_force() -> None:
    server = Silent()
    assert stop(server, "nas:/srv") == ""
    assert server.forced == [False, True]


def test_of_a_disk_nothing_is_forced() -> None:
    server = Silent()
    with pytest.raises(NoAnswer):
        stop(server, "/dev/sdb")
    assert server.forced == [False]
