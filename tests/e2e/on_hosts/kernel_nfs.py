"""A folder of a server that goes away and comes back, with Debian's NFS server and client. Told by `test_kernel_machine.py`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kernel_mounts import AT, play

from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.mount.driver import MountDriver
from backstay_api.objects.plain import Mount, RenderedResource, Timeouts
from backstay_testing.disks import sh

SERVER = "127.0.0.1"
OURS = RenderedResource(
    name="nas",
    mount=Mount(device=f"{SERVER}:/srv/exported", path=AT, options=("vers=4.2",)),
    timeouts=Timeouts(start="60s", stop="20s"),
)
LOOK_S = 30.0


@contextmanager
def a_server() -> Iterator[None]:
    Path("/srv/exported").mkdir(parents=True, exist_ok=True)
    sh("systemctl", "start", "nfs-server")
    sh("exportfs", "-o", "rw,no_root_squash,insecure,fsid=7", "*:/srv/exported")
    try:
        yield
    finally:
        unplugged(is_so=False)
        sh("umount", "-f", AT, check=False)
        sh("exportfs", "-ua", check=False)


def unplugged(*, is_so: bool) -> None:
    """No word goes to the server, nor comes from it; nothing is refused."""
    sh("nft", "delete", "table", "inet", "d-nfs", check=False)
    if is_so:
        sh("nft", "add table inet d-nfs; add chain inet d-nfs o { type filter hook output priority 0; };"
           " add rule inet d-nfs o tcp dport 2049 drop")  # fmt: skip


def test_a_server_that_is_gone_hangs_nothing_and_is_used_again_when_it_is_back() -> None:
    with a_server():

        async def story(driver: MountDriver) -> None:
            assert await driver.not_ready(OURS) is None
            await driver.start(OURS, timeout_s=60)
            (Path(AT) / "kept").write_text("kept")
            assert await driver.check(OURS) == Seen(State.RUNNING)

            unplugged(is_so=True)
            sh("sh", "-c", "echo 3 >/proc/sys/vm/drop_caches")
            await until_silent(driver)
            before = time.monotonic()
            seen = await driver.check(OURS)
            assert seen.state is State.UNKNOWN and seen.left and "does not answer within 2 s" in seen.why, seen
            assert time.monotonic() - before < LOOK_S
            # The place hangs as well, and is looked at first.
            assert "does not answer" in (await driver.not_ready(OURS) or "")

            unplugged(is_so=False)
            await until_running(driver)
            assert (Path(AT) / "kept").read_text() == "kept"
            await driver.stop(OURS, timeout_s=20)
            assert (await driver.check(OURS)).state is State.STOPPED

        play(story)


async def until_silent(driver: MountDriver) -> None:
    """The kernel knows for a while what it was told last."""
    for _ in range(20):
        if (await driver.check(OURS)).state is State.UNKNOWN:
            return
    pytest.fail("a server that is gone is called well")


async def until_running(driver: MountDriver) -> None:
    for _ in range(60):
        if (await driver.check(OURS)).state is State.RUNNING:
            return
    pytest.fail("a server that is back is not used")
