"""The mount driver on real disks of this machine: started, adopted, refused by name, watched, and verifiably stopped."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, suppress
from pathlib import Path

import pytest

from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.mount.health import health
from backstay_agent.drivers.mount.table import over, read
from backstay_testing.disks import Host, a_disk, sh
from backstay_testing.mounts import mounts, play

RUNNING = Seen(State.RUNNING)
UNSHARE = ("unshare", "--mount", "--propagation=private")


def test_it_is_started_once_adopted_by_the_next_life_and_stopped(host: Host, disk: str) -> None:
    one = host.mount(disk, "noatime")

    async def story() -> None:
        driver = host.driver()
        assert await driver.not_ready(one) is None and (await driver.check(one)).state is State.STOPPED
        assert await driver.stop(one, timeout_s=5) is None, "stopped when it was never started"
        await driver.start(one, timeout_s=9)
        await driver.start(one, timeout_s=9)
        assert host.shell.names == ["e2fsck", "mount"] and mounts(disk) == [str(host.target)]
        assert "noatime" in sh("findmnt", "-no", "OPTIONS", host.target)

        again = host.driver()
        assert await again.check(one) == RUNNING and await again.leftovers() == [one]
        await again.start(one, timeout_s=9)
        assert mounts(disk) == [str(host.target)], "never mounted twice"
        assert await again.stop(one, timeout_s=5) is None
        assert mounts(disk) == [] and (await again.check(one)).state is State.STOPPED and await again.leftovers() == []
        assert await again.stop(one, timeout_s=5) is None

    play(story())


def test_a_filesystem_that_shows_another_of_its_disks_is_ours_all_the_same(host: Host, disk: str) -> None:
    """btrfs on several disks: the mount table names the one that came last, whichever was asked for."""
    with a_disk(host.folder / "other.img") as other:
        one = host.mount(other)
        host.shell.instead = {other: disk}

        async def story() -> None:
            await host.driver().start(one, timeout_s=9)
            again = host.driver()
            assert await again.check(one) == RUNNING and await again.leftovers() == [one]
            await again.start(one, timeout_s=9)
            assert mounts(disk) == [str(host.target)], "never mounted twice"
            await again.stop(one, timeout_s=5)
            assert mounts(disk) == [] and (await again.check(one)).state is State.STOPPED

        play(story())


def test_without_its_note_it_is_found_all_the_same(host: Host, disk: str) -> None:
    one = host.mount(disk)

    async def story() -> None:
        await host.driver().start(one, timeout_s=9)
        sh("rm", "-r", host.folder / "notes")
        assert await host.driver().check(one) == RUNNING
        await host.driver().stop(one, timeout_s=5)
        assert mounts(disk) == []

    play(story())


def test_what_somebody_else_has_mounted_there_is_refused_by_name_and_left_alone(host: Host, disk: str) -> None:
    one = host.mount(disk)
    host.target.mkdir()
    sh("mount", "-t", "tmpfs", "foreign", host.target)

    async def story() -> None:
        driver = host.driver()
        assert "has foreign (tmpfs) mounted already" in (await driver.not_ready(one) or "")
        with pytest.raises(StartFailed, match=r"has foreign .tmpfs. mounted already"):
            await driver.start(one, timeout_s=9)
        seen = await driver.check(one)
        assert seen.state is State.STOPPED and "shows foreign (tmpfs) instead" in seen.why
        await driver.stop(one, timeout_s=5)
        assert sh("findmnt", "-no", "SOURCE", host.target) == "foreign"

    play(story())


def test_a_disk_that_is_mounted_elsewhere_runs_here_and_is_not_mounted_again(host: Host, disk: str) -> None:
    one, other = host.mount(disk), host.folder / "srv/other"
    other.mkdir()
    sh("mount", disk, other)

    async def story() -> None:
        driver = host.driver()
        seen = await driver.check(one)
        assert seen.state is State.UNKNOWN and seen.left and f"is mounted at {other}" in seen.why
        assert f"is mounted at {other} already" in (await driver.not_ready(one) or "")
        with pytest.raises(StartFailed, match=r"already, and not by Backstay"):
            await driver.start(one, timeout_s=9)
        with pytest.raises(StopFailed, match=rf"is still mounted at {other}"):
            await driver.stop(one, timeout_s=5)
        assert host.shell.names == []

    play(story())


def test_a_busy_one_is_not_stopped_and_who_holds_it_is_named(host: Host, disk: str) -> None:
    one = host.mount(disk, stop="1s")

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        with open_file(host.target) as user:
            with pytest.raises(StopFailed, match=rf"it is used by {user.pid} .{sys.executable} -c.*has open") as stop:
                await driver.stop(one, timeout_s=1)
            assert "still mounted after 1 s" in str(stop.value) and user.poll() is None, "nobody is asked to end"
            assert mounts(disk) == [str(host.target)] and await driver.check(one) == RUNNING
        await driver.stop(one, timeout_s=9)

    play(story())


def test_where_the_manifest_says_so_who_holds_it_is_asked_to_end_after_half_of_the_time(host: Host, disk: str) -> None:
    one = host.mount(disk, busy="Terminate", stop="9s")

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        with open_file(host.target) as user:
            note = await driver.stop(one, timeout_s=6)
            assert note and f"asked to end (SIGTERM): {user.pid} (" in note
            assert user.wait() == -15 and mounts(disk) == []

    play(story())


def test_what_is_mounted_below_or_over_it_is_named(host: Host, disk: str) -> None:
    one = host.mount(disk, stop="500ms")

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        (host.target / "wal").mkdir()
        sh("mount", "-t", "tmpfs", "nested", host.target / "wal")
        with pytest.raises(StopFailed, match=rf"below it is mounted {host.target}/wal"):
            await driver.stop(one, timeout_s=1)
        sh("umount", host.target / "wal")
        sh("mount", "-t", "tmpfs", "foreign", host.target)
        seen = await driver.check(one)
        assert seen.state is State.UNKNOWN and "is hidden by foreign (tmpfs)" in seen.why
        with pytest.raises(StopFailed, match=r"is hidden by foreign .tmpfs.: unmount that first"):
            await driver.stop(one, timeout_s=1)
        sh("umount", host.target)
        await driver.stop(one, timeout_s=9)

    play(story())


def test_a_stop_does_not_count_while_another_namespace_has_the_disk(host: Host, disk: str) -> None:
    one = host.mount(disk)

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        with (
            a_namespace() as hidden,
            pytest.raises(StopFailed, match=rf"not free: {hidden.pid} .*mounted at {host.target} in its namespace"),
        ):
            await driver.stop(one, timeout_s=5)
        await driver.stop(one, timeout_s=5)
        assert await driver.leftovers() == []

    play(story())


def _pin_a_namespace(pin: Path) -> None:
    """A file keeps only a namespace whose number is higher than ours, and on Linux 6.18 each CPU numbers from a batch of its own."""
    for cpu in sorted(os.sched_getaffinity(0)):
        with suppress(AssertionError):
            sh("taskset", "--cpu-list", str(cpu), "unshare", f"--mount={pin}", "--propagation=private", "true")
            return
    raise AssertionError("on no CPU does a file keep a mount namespace")


def test_a_stop_does_not_count_while_the_kernel_has_the_disk_and_no_process_shows_it(host: Host, disk: str) -> None:
    """A mount namespace that a file keeps alive."""
    one, pin = host.mount(disk), host.folder / "ns/pin"

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        pin.parent.mkdir()
        sh("mount", "-t", "tmpfs", "none", pin.parent)
        sh("mount", "--make-private", pin.parent)
        sh("touch", pin)
        _pin_a_namespace(pin)
        with pytest.raises(
            StopFailed, match=rf"not free: the kernel has not let go of {disk}: Device or resource busy"
        ):
            await driver.stop(one, timeout_s=5)
        assert await driver.leftovers() == [] and mounts(disk) == []
        sh("umount", pin)
        await driver.stop(one, timeout_s=5)

    play(story())


def test_a_mount_namespace_that_others_begin_meanwhile_holds_no_disk_of_a_test(host: Host, disk: str) -> None:
    """As those of labs and of a second worker do: it is made by a copy of the one that this process has begun in."""
    one = host.mount(disk)

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        theirs = ("nsenter", f"--mount=/proc/{os.getppid()}/ns/mnt", *UNSHARE)
        with process(*theirs, sys.executable, "-c", "print(flush=True); input()"):
            await driver.stop(one, timeout_s=5)
        assert mounts(disk) == []

    play(story())


def test_each_change_is_told_at_once(host: Host, disk: str) -> None:
    one = host.mount(disk)

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        async with aclosing(driver.changes(one)) as changes:
            assert await anext(changes) == RUNNING
            async with asyncio.timeout(2):
                sh("umount", host.target)
                assert "nothing is mounted" in (await anext(changes)).why
                sh("mount", disk, host.target)
                assert await anext(changes) == RUNNING
                sh("mount", "-o", "remount,ro", host.target)
                seen = await anext(changes)
                assert seen.state is State.FAILED and "has become read-only" in seen.why
        await driver.stop(one, timeout_s=5)

    play(story())


def test_a_full_one_says_so_and_a_restart_would_not_mend_it(host: Host, disk: str) -> None:
    one = host.mount(disk)

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        sh("dd", "if=/dev/zero", f"of={host.target}/fill", "bs=64k", check=False)
        seen = await driver.check(one)
        assert seen.state is State.UNKNOWN and seen.why == f"{host.target} is full: nothing more can be written"
        await driver.start(one, timeout_s=9)  # and it can be used all the same
        (host.target / "fill").unlink()
        assert await driver.check(one) == RUNNING
        await driver.stop(one, timeout_s=5)

    play(story())


def test_ext4_that_is_broken_is_not_mounted(host: Host, disk: str) -> None:
    one = host.mount(disk)
    for how in ("clri <2>", "ssv state 2"):
        sh("debugfs", "-w", "-R", how, disk)

    async def story() -> None:
        with pytest.raises(StartFailed, match=r"is not mounted before somebody has mended it by hand.*e2fsck"):
            await host.driver().start(one, timeout_s=9)
        assert host.shell.names == ["e2fsck"] and mounts(disk) == []
        await host.driver().stop(one, timeout_s=5)

    play(story())


def test_read_only_is_not_checked_and_healthy(host: Host, disk: str) -> None:
    one = host.mount(disk, "ro")

    async def story() -> None:
        await host.driver().start(one, timeout_s=9)
        assert host.shell.names == ["mount"] and await host.driver().check(one) == RUNNING
        await host.driver().stop(one, timeout_s=5)

    play(story())


def test_a_folder_is_bound_and_is_no_other_folder_of_its_disk(host: Host) -> None:
    (host.folder / "data").mkdir()
    (host.folder / "other").mkdir()
    one, other = host.mount(host.folder / "data", "bind"), host.mount(host.folder / "other", "bind")
    with a_disk(host.folder / "disk.img"):  # skips where nothing can be mounted

        async def story() -> None:
            driver = host.driver()
            await driver.start(one, timeout_s=9)
            (host.folder / "data/file").touch()
            assert (host.target / "file").exists() and await driver.check(one) == RUNNING
            assert host.shell.names == ["mount"]
            sh("rm", "-r", host.folder / "notes")
            assert (await driver.check(other)).state is State.STOPPED
            assert "mounted already, which Backstay has not" in (await driver.not_ready(other) or "")
            await driver.stop(one, timeout_s=5)
            assert not (host.target / "file").exists()

        play(story())


def test_a_disk_that_vanishes_is_a_failure_and_can_still_be_stopped(host: Host, disk: str, tmp_path: Path) -> None:
    link = host.folder / "by-id"
    link.symlink_to(disk)
    one = host.mount(link)

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        link.unlink()
        assert await driver.check(one) == RUNNING, "what we have noted is enough to know it"
        mounted = over(read(Path("/proc/self/mountinfo")), str(host.target))
        assert one.mount and mounted
        seen = await health(one.mount, mounted, devices=tmp_path)
        assert seen.state is State.FAILED and "has vanished" in seen.why
        await driver.stop(one, timeout_s=5)
        assert mounts(disk) == []
        assert "this host has no device" in (await driver.not_ready(one) or "")
        assert (await driver.check(one)).state is State.STOPPED

    play(story())


def test_an_unmount_that_hangs_is_no_stop(host: Host, disk: str) -> None:
    one = host.mount(disk, stop="300ms")

    async def story() -> None:
        driver = host.driver()
        await driver.start(one, timeout_s=9)
        host.shell.hangs = "umount"
        with pytest.raises(StopFailed, match=r"may still be mounted at .* hangs in the kernel"):
            await driver.stop(one, timeout_s=1)
        host.shell.hangs = ""
        await driver.stop(one, timeout_s=9)

    play(story())


@contextmanager
def process(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """Alive, and through with what it does first; it prints a line then."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdout and one.stdout.readline()
        try:
            yield one
        finally:
            one.kill()


def open_file(folder: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Of a process that has a file open there."""
    return process(sys.executable, "-c", f"f = open({str(folder / 'open')!r}, 'w'); print(flush=True); input()")


def a_namespace() -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Of a process that sees the mounts of now, whatever happens to them elsewhere."""
    return process(*UNSHARE, sys.executable, "-c", "print(flush=True); input()")
