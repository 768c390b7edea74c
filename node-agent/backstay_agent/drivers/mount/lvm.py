"""LVM: asked without taking its locks, and told to activate one volume on this host alone, or to let go of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from backstay_agent.drivers.base import StartFailed, StopFailed
from backstay_agent.drivers.tools.contained_programs import Questions
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look

from .acts import Programs, found, lacks
from .sources import NoSource
from .volumes import BLOCK, FIELDS, TAG, LvmOfHost, Volume, active, refusal, rows

ASK_S: Final = 10.0
"""It reads all disks of the host, of which one may answer slowly."""
LET_GO_S: Final = 10.0
_ALL: Final = ("--readonly", "--foreign", "--shared", "--nohints", "--reportformat", "json", "-o", FIELDS)
"""Read-only it takes no lock, so it waits for no other LVM and disturbs none, and asks not for what is active: the kernel says that."""


class Asks(Protocol):
    """A question to a program."""

    async def __call__(self, argv: Sequence[str]) -> tuple[int, str]:
        """Its exit code and all that it wrote. Raises NoAnswer, OSError."""


class ContainedAsks:
    """`Asks` in programs that leave nothing behind; while one hangs in the kernel no other is begun."""

    def __init__(self) -> None:
        self._questions = Questions()

    async def __call__(self, argv: Sequence[str]) -> tuple[int, str]:
        answer = await self._questions.ask("LVM", argv, limit_s=ASK_S)
        if answer is None:
            raise NoAnswer("LVM is not asked: the question before hangs in the kernel, at a disk that does not answer")
        if answer.code is None:
            raise NoAnswer(f"{argv[0]} has not answered within {ASK_S:g} s: a disk of this host does not answer")
        return answer.code, answer.output


class Lvm:
    """One host's."""

    def __init__(self, programs: Programs, asks: Asks | None = None, block: Path = BLOCK) -> None:
        """`block`: where the kernel tells of its block devices."""
        self._programs, self._asks, self.block = programs, asks or ContainedAsks(), block

    async def active(self, volume: Volume) -> str:
        """See `volumes.active`."""
        return await look(f"{self.block} ({volume.words})", partial(active, volume, self.block))

    async def known(self, volume: Volume) -> tuple[Mapping[str, Any], LvmOfHost]:
        """What LVM says of it, and of itself. Raises NoSource, NoAnswer, OSError."""
        if not (lvm := await found("lvm")):
            raise NoSource(lacks("lvm (lvm2)", volume.words))
        _, said = await self._asks((lvm, "lvs", *_ALL, volume.words))
        if not (told := rows(said)):
            raise NoSource(f"this host sees no logical volume {volume.words}: {_last(said)}")
        _, system_id = await self._asks((lvm, "systemid"))
        _, auto = await self._asks((lvm, "lvmconfig", "--typeconfig", "full", "activation/auto_activation_volume_list"))
        own = system_id.partition("system ID:")[2].split()
        return told[0], LvmOfHost(own[0] if own else "", auto.partition("auto_activation_volume_list=")[2].strip())

    async def activate(self, volume: Volume, path: str, timeout_s: float) -> None:
        """With the grant at hand. Raises StartFailed, NoSource, NoAnswer, OSError."""
        row, host = await self.known(volume)
        if why := refusal(volume, row, host):
            raise StartFailed(why)
        lvm, owner = await found("lvm"), row["vg_systemid"]
        # Whom it belonged to has released it, or is off: that is what the grant says. We may write then, as if we were he.
        as_owner = ("--config", f'local/extra_system_ids=["{owner}"]') if owner not in ("", host.system_id) else ()
        # The tag comes first: killed between the two, whoever is next still knows the old owner by his, and us by ours.
        if owner and f"{TAG}{host.system_id}" not in row["vg_tags"].split(","):
            await self._must(
                path, (lvm, "vgchange", *as_owner, "--addtag", f"{TAG}{host.system_id}", volume.group), timeout_s
            )
        if as_owner:
            await self._must(
                path, (lvm, "vgchange", "-y", *as_owner, "--systemid", host.system_id, volume.group), timeout_s
            )
        await self._must(path, (lvm, "lvchange", "-ay", "--activationmode", "complete", volume.words), timeout_s)
        if not await self.active(volume):
            raise StartFailed(f"{volume.words} is not active, though lvchange says so")

    async def let_go(self, volume: Volume, path: str) -> None:
        """Until it is not active on this host. Raises StopFailed, NoAnswer."""
        said = ""
        if await self.active(volume):
            ended = await self._programs.run(path, (await found("lvm"), "lvchange", "-an", volume.words), LET_GO_S)
            said = ended.why
        if await self.active(volume):  # LVM lets go of nothing whose disks it cannot read; the kernel does
            ended = await self._programs.run(
                path, (await found("dmsetup"), "remove", "--retry", volume.mapping), LET_GO_S
            )
            said += f"; {ended.why}"
        if await self.active(volume):
            raise StopFailed(f"{volume.words} is still active on this host: {said}")

    async def _must(self, path: str, argv: Sequence[str], timeout_s: float) -> None:
        ended = await self._programs.run(path, argv, timeout_s)
        if ended.exit_code != 0:
            raise StartFailed(ended.why)


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip(' {}[]",:') and not line.strip().startswith('"')]
    return lines[0] if lines else "LVM says nothing of it"
