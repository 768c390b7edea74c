"""Debian's own agents of an NFS server, which need a kernel that has one. Told in the kernel machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

from debians_ocf_agents import by_hand
from ocf_scene import agents

from backstay_api.objects.plain import Ocf, RenderedResource, Timeouts
from backstay_testing.disks import sh

SHARED = Path("/srv/d-export")
# Every instruction is emulated.
PATIENT = Timeouts(start="200s", stop="200s", check="100s")


def resource(name: str, **parameters: str) -> RenderedResource:
    return RenderedResource(name=name, ocf=Ocf(agent=f"heartbeat:{name}", parameters=parameters), timeouts=PATIENT)


# Without nfs_shared_infodir: Debian's nfsdcld keeps that busy, and this agent's stop says so (by hand as well).
SERVER = resource("nfsserver", nfsv4_only="true")
EXPORT = resource("exportfs", directory=str(SHARED), clientspec="127.0.0.1", options="rw,no_root_squash", fsid="0")


def test_nfs_by_debians_own_agents_is_served_and_verifiably_stopped() -> None:
    async def served() -> None:
        async with agents() as driver:
            for one in (SERVER, EXPORT):
                await driver.start(one, timeout_s=200)
            sh("mount", "-t", "nfs4", "-o", "soft,timeo=100", "127.0.0.1:/", "/mnt")
            Path("/mnt/word").write_text("kept")
            sh("umount", "/mnt")
        async with agents() as driver:  # another life of the agent
            assert {one.name for one in await driver.leftovers()} == {"exportfs", "nfsserver"}
            for one in (EXPORT, SERVER):
                assert await driver.stop(one, timeout_s=200) is None
                assert by_hand(one, "monitor") == 7
            assert await driver.leftovers() == []

    # A server that has just begun lets nobody open a file for 90 s: clients of its former life might still hold it.
    Path("/etc/nfs.conf.d/brief.conf").write_text("[nfsd]\ngrace-time=10\nlease-time=10\nthreads=1\n")
    SHARED.mkdir(parents=True)
    asyncio.run(served())
    assert (SHARED / "word").read_text() == "kept"
    assert Path("/proc/fs/nfsd/threads").read_text().strip() == "0"
