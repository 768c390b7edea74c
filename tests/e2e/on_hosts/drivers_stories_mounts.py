"""Stories about mount units, told by `test_drivers_host.py` inside a host."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL
from contextlib import aclosing
from pathlib import Path

from drivers_scene import STORIES, active, install, main, refused, sh, story, systemd, unit

from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed

MOUNT = "d-mounted.mount"
PATH = "/d/mounted"
TEXT = f"[Mount]\nWhat=tmpfs\nWhere={PATH}\nType=tmpfs\n[Install]\nWantedBy=multi-user.target\n"


def is_mounted() -> bool:
    return any(line.split()[4] == PATH for line in Path("/proc/self/mountinfo").read_text().splitlines())


@story
async def a_mount_unit_waits_for_our_word_and_is_stopped_only_when_it_is_unmounted() -> None:
    disk = install(MOUNT, TEXT)
    sh("systemctl", "enable", MOUNT)
    async with systemd() as (driver, _):
        await driver.secure(disk)
        sh("systemctl", "start", MOUNT)  # as a boot would
        assert not is_mounted() and await driver.check(disk) == Seen(State.STOPPED)
        assert await driver.not_ready(disk) is None
        assert f"systemctl disable {MOUNT}" in (await driver.starts_by_itself(disk) or "")
        sh("systemctl", "disable", MOUNT)
        for _again in range(2):
            await driver.start(disk, timeout_s=9)
            assert is_mounted() and (await driver.check(disk)).state is State.RUNNING
        holder = await asyncio.create_subprocess_exec("sleep", "100000", cwd=PATH, stdout=DEVNULL, stderr=DEVNULL)
        stopping = asyncio.create_task(
            refused(driver.stop(disk, timeout_s=1), StopFailed, f"{MOUNT} could not be stopped")
        )
        seen = set[State]()
        while not stopping.done():
            seen.add((await driver.check(disk)).state)
        await stopping
        assert is_mounted() and State.RUNNING in seen and not seen & {State.STOPPED, State.FAILED}, seen
    async with systemd() as (driver, _):  # another life of the agent
        assert [one.systemd for one in await driver.leftovers()] == [disk.systemd]
        holder.kill()
        await holder.wait()
        for _again in range(2):
            assert await driver.stop(disk, timeout_s=9) is None
            assert not is_mounted() and await driver.check(disk) == Seen(State.STOPPED)
        assert await driver.leftovers() == []
        sh("systemctl", "start", MOUNT)
        assert not is_mounted()
        await driver.unsecure(disk)
        sh("systemctl", "start", MOUNT)
        assert is_mounted() and active(MOUNT) == "active", "given back"
        sh("systemctl", "stop", MOUNT)


@story
async def what_is_unmounted_behind_our_back_is_told() -> None:
    disk = install(MOUNT, TEXT)
    async with systemd() as (driver, _):
        await driver.start(disk, timeout_s=9)
        async with aclosing(driver.changes(disk)) as changes:
            assert await anext(changes) == Seen(State.RUNNING)
            process = await asyncio.create_subprocess_exec("umount", PATH)
            await process.wait()
            assert await anext(changes) == Seen(State.STOPPED, f"{MOUNT} ended by itself")
        await driver.stop(disk, timeout_s=9)


@story
async def a_mount_that_fails_says_why() -> None:
    disk = install(MOUNT, TEXT.replace("What=tmpfs", "What=/run/d-nothing").replace("Type=tmpfs", "Type=ext4"))
    async with systemd() as (driver, _):
        await refused(driver.start(disk, timeout_s=9), StartFailed, "d-mounted.mount")
        assert (await driver.check(disk)).state is State.FAILED
        assert await driver.stop(disk, timeout_s=9) is None


@story
async def what_the_hosts_table_mounts_is_refused_before_it_is_touched() -> None:
    table = Path("/etc/fstab")
    before = table.read_text() if table.exists() else ""
    try:
        table.write_text(f"{before}\ntmpfs {PATH} tmpfs noauto 0 0\n")
        sh("systemctl", "daemon-reload")
        async with systemd() as (driver, _):
            await refused(driver.secure(unit(MOUNT)), StartFailed, "is made of a line in /etc/fstab")
            assert "/etc/fstab" in (await driver.not_ready(unit(MOUNT)) or "")
            assert not Path(f"/etc/systemd/system/{MOUNT}.d").exists()
    finally:
        table.write_text(before)
        sh("systemctl", "daemon-reload")


@story
async def slices_and_automounts_are_refused_in_a_sentence() -> None:
    async with systemd() as (driver, _):
        for name, why in (("d-x.slice", "starts whether the slice may or not"), ("d-x.automount", "lazily")):
            await refused(driver.secure(unit(name)), StartFailed, why)
            assert why in (await driver.not_ready(unit(name)) or "")


if __name__ == "__main__":
    main(STORIES)
