"""A small disk of this machine (a loop device) with ext4 on it, and the mount driver on it without systemd, for tests that are root."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backstay_agent.drivers.mount.driver import MountDriver
from backstay_agent.drivers.mount.places import HostFiles
from backstay_agent.drivers.tools.file_system_looks import NoAnswer
from backstay_agent.drivers.tools.transient import Ended
from backstay_api.objects.plain import Mount, RenderedResource, Timeouts
from backstay_dev.lab.disks import loop_device


def sh(*argv: str | Path, check: bool = True) -> str:
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout.strip()


@contextmanager
def a_disk(image: Path, *features: str, fs_type: str = "ext4", mib: int = 16) -> Iterator[str]:
    """A loop device; see there."""
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control") or not shutil.which("mkfs.ext4"):
        pytest.skip("a disk needs root, loop devices and mkfs.ext4")
    with loop_device(image, *features, fs_type=fs_type, mib=mib) as device:
        yield device


@dataclass
class Shell:
    """`acts.Programs` without systemd: child processes, which are killed when their time is over."""

    ran: list[list[str]] = field(default_factory=list)
    hangs: str = ""
    """The program that does not come back."""
    says: dict[str, Ended] = field(default_factory=dict)
    """By program that is not run: how it ended."""
    wanted: dict[str, str] = field(default_factory=dict)
    """By unit: what starts it at a boot."""
    instead: dict[str, str] = field(default_factory=dict)
    """By device: another of the same file system's, as which the mount table shows it."""

    async def run(self, path: str, argv: Sequence[str], timeout_s: float) -> Ended:
        argv = [self.instead.get(word, word) for word in argv]
        self.ran.append([os.path.basename(argv[0]), *argv[1:]])
        if self.hangs == self.ran[-1][0]:
            await asyncio.sleep(timeout_s)
            raise NoAnswer(f"{argv[0]} hangs in the kernel, and cannot be killed")
        if (said := self.says.get(self.ran[-1][0])) is not None:
            return said
        process = await asyncio.create_subprocess_exec(*argv, stdout=PIPE, stderr=STDOUT)
        try:
            async with asyncio.timeout(timeout_s):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return Ended(None, argv[0], f"was killed after {timeout_s:g} s")
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        code = process.returncode or 0
        return Ended(code, argv[0], f"exited with {code}", " / ".join(output.decode().splitlines()[-3:]))

    async def end(self, path: str, timeout_s: float) -> None:
        await asyncio.sleep(0)

    async def wanting(self, unit: str) -> str:
        await asyncio.sleep(0)
        return self.wanted.get(unit, "")

    @property
    def names(self) -> list[str]:
        return [argv[0] for argv in self.ran]


@dataclass
class Host:
    """A folder below which filesystems may be mounted, and drivers for it: each a life of the agent."""

    folder: Path
    shell: Shell = field(default_factory=Shell)

    @property
    def target(self) -> Path:
        return self.folder / "srv/db"

    def driver(self) -> MountDriver:
        return MountDriver(
            self.shell,
            HostFiles(
                roots=[self.folder / "srv"],
                own=[self.folder / "srv/state"],
                notes=self.folder / "notes",
                table=Path("/proc/self/mountinfo"),
                fstab=self.folder / "fstab",
            ),
        )

    def mount(
        self, device: str | Path, *options: str, path: Path | None = None, stop: str = "5s", busy: str = "Wait"
    ) -> RenderedResource:
        spec = Mount.from_wire(
            {"device": str(device), "path": str(path or self.target), "options": list(options), "onBusy": busy}
        )
        return RenderedResource(name="disk", mount=spec, timeouts=Timeouts(stop=stop))


@contextmanager
def a_host() -> Iterator[Host]:
    """Not below pytest's folders, whose path may lead over a link."""
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="mounts-")))
    (folder / "srv/state").mkdir(parents=True)
    try:
        yield Host(folder)
    finally:
        for line in reversed(sh("findmnt", "-rno", "TARGET", check=False).splitlines()):
            if line.startswith(f"{folder}/"):
                sh("umount", line, check=False)
        shutil.rmtree(folder, ignore_errors=True)
