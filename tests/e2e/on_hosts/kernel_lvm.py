"""Logical volumes on a shared disk, on one host at a time, with the real LVM. Told by `test_kernel_machine.py`.

Two hosts are one machine here, whose LVM is told another system ID before each is played.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kernel_mounts import AT, keep, play

from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.mount.acts import UnitPrograms
from backstay_agent.drivers.mount.driver import MountDriver
from backstay_agent.drivers.tools.manager import Manager
from backstay_api.objects.plain import Mount, RenderedResource, Timeouts
from backstay_testing.disks import sh

OURS = RenderedResource(
    name="disk", mount=Mount(device="/dev/d-vg/my-data", path=AT), timeouts=Timeouts(start="30s", stop="20s")
)
MAPPING = "d--vg-my--data"


def this_host_is(name: str) -> None:
    sh("sed", "-i", '/^\\s*system_id_source/d; /^global {/a system_id_source = "lvmlocal"', "/etc/lvm/lvm.conf")
    Path("/etc/lvm/lvmlocal.conf").write_text(f'local {{\n system_id = "{name}"\n}}\n')


def mappings() -> list[str]:
    return [line.split()[0] for line in sh("dmsetup", "ls").splitlines() if line.startswith("d--vg")]


def owner() -> str:
    return sh("vgs", "--foreign", "--noheadings", "-o", "systemid,tags", "d-vg")


@contextmanager
def shared_group(folder: Path, *, prepared: bool = True) -> Iterator[list[str]]:
    """Of two disks, as n1 has made it."""
    this_host_is("n1")
    disks = []
    for name in ("a", "b"):
        sh("truncate", "-s", "40M", folder / name)
        disks.append(sh("losetup", "-f", "--show", folder / name))
    try:
        sh("vgcreate", *(["--setautoactivation", "n"] if prepared else []), "d-vg", *disks)
        for name in ("my-data", "other"):
            sh("lvcreate", "-y", "-L", "16M", "-n", name, "d-vg")
        sh("mkfs.ext4", "-q", "/dev/d-vg/my-data")
        sh("lvchange", "-an", "d-vg/my-data")
        yield disks
    finally:
        sh("umount", AT, check=False)
        for one in mappings():
            sh("dmsetup", "remove", "--retry", one, check=False)
        for disk in disks:
            sh("wipefs", "-a", disk, check=False)
            sh("losetup", "-d", disk, check=False)
        sh("rm", "-rf", "/run/backstay/mounts")


def test_a_volume_is_activated_mounted_adopted_and_let_go_of_alone(tmp_path: Path) -> None:
    with shared_group(tmp_path):

        async def story(driver: MountDriver) -> None:
            await driver.secure(OURS)
            assert await driver.not_ready(OURS) is None and mappings() == ["d--vg-other"]
            await driver.start(OURS, timeout_s=30)
            keep()
            assert await driver.check(OURS) == Seen(State.RUNNING) and sorted(mappings()) == [MAPPING, "d--vg-other"]
            assert owner().split() == ["n1", "backstay=n1"]
            assert [one.mount for one in await driver.leftovers()] == [OURS.mount]
            assert await driver.not_ready(OURS) is None
            await driver.start(OURS, timeout_s=30)
            sh("rm", "-r", "/run/backstay/mounts")
            assert await driver.check(OURS) == Seen(State.RUNNING), "without its note, too"
            await driver.stop(OURS, timeout_s=20)
            assert mappings() == ["d--vg-other"] and await driver.leftovers() == []

        play(story)


def test_the_next_host_takes_it_over_from_one_that_was_lost_and_from_nobody_else(tmp_path: Path) -> None:
    with shared_group(tmp_path):

        async def first(driver: MountDriver) -> None:
            this_host_is("n2")
            assert "d-vg belongs to n1 by its system ID" in (await driver.not_ready(OURS) or "")
            with pytest.raises(StartFailed, match="which had it not from Backstay"):
                await driver.start(OURS, timeout_s=30)
            assert owner().split() == ["n1"]
            this_host_is("n1")
            await driver.start(OURS, timeout_s=30)
            keep()

        async def second(driver: MountDriver) -> None:
            assert await driver.not_ready(OURS) is None
            await driver.start(OURS, timeout_s=30)
            assert (Path(AT) / "kept").read_text() == "kept"
            assert owner().split() == ["n2", "backstay=n1,backstay=n2"]
            this_host_is("n1")
            assert "has system ID n2" not in (await driver.not_ready(OURS) or "")
            this_host_is("n2")
            await driver.stop(OURS, timeout_s=20)

        play(first)
        # The power of n1 is off: nothing of it is left.
        sh("umount", AT)
        for one in mappings():
            sh("dmsetup", "remove", "--retry", one)
        sh("rm", "-r", "/run/backstay/mounts")
        this_host_is("n2")
        play(second)
        assert mappings() == []


def test_what_is_not_to_be_activated_says_why(tmp_path: Path) -> None:
    with shared_group(tmp_path, prepared=False) as disks:

        async def story(driver: MountDriver) -> None:
            with pytest.raises(StartFailed, match="vgchange --setautoactivation n d-vg"):
                await driver.secure(OURS)
            sh("vgchange", "--setautoactivation", "n", "d-vg")
            await driver.secure(OURS)
            sh("lvchange", "-ay", "d-vg/my-data")
            assert "Backstay has not activated it: lvchange -an" in (await driver.not_ready(OURS) or "")
            sh("lvchange", "-an", "d-vg/my-data", "d-vg/other")
            sh("losetup", "-d", disks[1])
            assert "d-vg is not complete" in (await driver.not_ready(OURS) or "")
            with pytest.raises(StartFailed, match="is not complete"):
                await driver.start(OURS, timeout_s=30)
            sh("losetup", disks[1], tmp_path / "b")
            assert await driver.not_ready(OURS) is None

        play(story)


def test_a_stop_does_not_count_while_it_is_active_and_the_kernel_lets_go_where_lvm_cannot(tmp_path: Path) -> None:
    with shared_group(tmp_path) as disks:

        async def story(driver: MountDriver) -> None:
            await driver.start(OURS, timeout_s=30)
            sh("umount", AT)
            holder = os.open(f"/dev/mapper/{MAPPING}", os.O_RDONLY)
            try:
                with pytest.raises(StopFailed, match="d-vg/my-data is still active on this host"):
                    await driver.stop(OURS, timeout_s=20)
                assert [one.mount for one in await driver.leftovers()] == [OURS.mount]
            finally:
                os.close(holder)
            this_host_is("n9")  # as if another host had it by now: LVM of this one refuses to touch it
            await driver.stop(OURS, timeout_s=20)
            assert MAPPING not in mappings() and disks

        play(story)


def test_an_agent_killed_at_any_step_of_a_start_is_succeeded(tmp_path: Path) -> None:
    """Each life is a process of its own, killed when LVM or mount was told so often to do something."""
    with shared_group(tmp_path):

        class Dying(UnitPrograms):
            left = 0

            async def run(self, path, argv, timeout_s):  # type: ignore[no-untyped-def]
                if self.left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                self.left -= 1
                return await super().run(path, argv, timeout_s)

        def life(steps: int, what: str) -> int:
            if (child := os.fork()) == 0:

                async def lived() -> None:
                    programs = Dying(Manager())
                    programs.left = steps
                    driver = MountDriver(programs)
                    await (driver.start(OURS, timeout_s=30) if what == "start" else driver.stop(OURS, timeout_s=20))

                try:
                    asyncio.run(lived())
                    os._exit(0)
                finally:
                    os._exit(1)
            return os.waitpid(child, 0)[1]

        async def ended(driver: MountDriver) -> None:
            if mappings() != ["d--vg-other"]:
                assert [one.mount for one in await driver.leftovers()] == [OURS.mount]
            await driver.stop(OURS, timeout_s=20)
            assert mappings() == ["d--vg-other"] and await driver.leftovers() == []

        async def begun(driver: MountDriver) -> None:
            await driver.start(OURS, timeout_s=30)
            assert await driver.check(OURS) == Seen(State.RUNNING)

        for what, steps in (("start", 4), ("stop", 2)):
            for step in range(steps):
                if what == "stop":
                    play(begun)
                assert life(step, what) == signal.SIGKILL, (what, step)
                play(ended)
                sh("vgchange", "--deltag", "backstay=n1", "d-vg")
