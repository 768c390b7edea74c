"""Filesystems: a disk that every candidate reaches and one has mounted, a server's folder, or one of the host at another place.

The kernel knows what is mounted: so an agent that has lost its memory finds it, and nothing is mounted twice. What
somebody else has mounted is named and left alone, and nothing counts as stopped for having been detached lazily.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from backstay_agent.detection import MOUNTS, Detection
from backstay_agent.drivers.base import Plain, Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.drivers.tools.wakeups import looked_at
from backstay_api.objects.devices import is_network
from backstay_api.objects.plain import Mount, RenderedResource

from .acts import Programs, check_and_mount, lacks, needed
from .acts import found as installed
from .health import health
from .holders import elsewhere, listed
from .lvm import Lvm
from .notes import Notes
from .places import FSTAB, HostFiles, in_fstab, unfit, units_for
from .readiness import type_unknown, unreachable
from .sources import NoSource, Source, claim_alone, find
from .table import Mounted, Table, follow, over, points, read
from .unmounting import unmount
from .volumes import Volume, by_itself, leads_to, refusal, volume_of

START_S: Final = 300.0
"""Where the manifest does not say: a check that mends takes its time, and so does the wait of ext4's MMP."""
NETWORK_START_S: Final = 90.0
STOP_S: Final = 60.0
"""Where the manifest does not say: what was written and is not on the disk yet is written before it is unmounted."""
LOOK_PERIOD_S: Final = 5.0
"""A disk that is full, read-only or gone is no event of the mount table."""
_TRIES: Final = 10
_AGAIN_S: Final = 0.2
_PROC_S: Final = 10.0


@dataclass(frozen=True)
class Sight:
    """What is mounted on this host at one moment, seen for one resource."""

    path: str
    table: Table
    source: Source | None
    """None: it is not on this host, and we have not mounted it."""
    volume: Volume | None = None
    """The logical volume that is to be activated, or is active."""

    @property
    def is_active(self) -> bool:
        """A logical volume, in the kernel."""
        return self.volume is not None and self.source is not None and bool(self.source.dev)

    @property
    def top(self) -> Mounted | None:
        """What is to be seen at the path, if something is mounted just there."""
        top = over(self.table, self.path)
        return top if top is not None and top.point == self.path else None

    def is_ours(self, mount: Mounted) -> bool:
        return self.source is not None and self.source.is_in(mount)

    @property
    def ours(self) -> list[Mounted]:
        """It, at the path, hidden or not."""
        return [one for one in self.table if one.point == self.path and self.is_ours(one)]

    @property
    def others(self) -> list[Mounted]:
        """Where the same disk is mounted besides; what is bound and what a server has may be at many places."""
        is_disk = self.source is not None and self.source.is_disk
        return [one for one in self.table if is_disk and one.point != self.path and self.is_ours(one)]

    @property
    def stranger(self) -> Mounted | None:
        """Something else that is mounted at the path, above it or in its place."""
        return self.top if self.top is not None and not self.is_ours(self.top) else None

    @property
    def hidden_by(self) -> str:
        """What is mounted over it; empty if it can be seen, or is not there."""
        over_it = over(self.table, self.path) if self.ours else None
        return over_it.words if over_it is not None and not self.is_ours(over_it) else ""


class MountDriver(Plain):
    """The driver for resources of kind `mount`. A mount does not outlive a boot."""

    def __init__(
        self,
        programs: Programs,
        files: HostFiles | None = None,
        detection: Detection | None = None,
        lvm: Lvm | None = None,
    ) -> None:
        self._programs = programs
        self._files = files or HostFiles()
        self._notes = Notes(self._files.notes)
        self._detection = detection or Detection()
        self._lvm = lvm or Lvm(programs)

    async def secure(self, resource: RenderedResource) -> None:
        if why := await self._other_mounter(resource):
            raise StartFailed(why)

    async def starts_by_itself(self, resource: RenderedResource) -> str | None:
        return "until then two hosts may have it after a boot" if await self._other_mounter(resource) else None

    async def _other_mounter(self, resource: RenderedResource) -> str:
        """What would mount it at the next boot without us, and the remedy; empty if nothing would. Raises StartFailed."""
        spec = _spec(resource)
        with _as_start_failed(spec):
            source = (await self._look(resource)).source or Source(spec.device)
            fstab = await look(f"{FSTAB} ({spec.path})", partial(_line_of_fstab, self._files.fstab, spec.path, source))
            if fstab:
                return f"{FSTAB} mounts it at the next boot ({fstab}): remove that line, or give it the option noauto"
            for unit in units_for(spec.path):
                if wanting := await self._programs.wanting(unit):
                    return f"{unit} mounts it at the next boot (for {wanting}): systemctl disable {unit}"
            with suppress(NoSource):
                volume = (await self._sight(resource)).volume
                return by_itself(volume, *await self._lvm.known(volume)) if volume else ""
        return ""

    async def not_ready(self, resource: RenderedResource) -> str | None:
        spec = _spec(resource)
        if why := self._files.outside(spec.path):
            return why
        try:
            sight = await self._sight(resource)
            return (
                await self._obstacle(sight)
                or self._activated_by_others(resource, sight)
                or await self._refused_by_lvm(sight)
                or await type_unknown(spec)
                or await _missing_program(spec, sight)
                or await unreachable(spec)
                or None
            )
        except NoSource as error:
            return None if error.may_come else str(error)
        except (OSError, NoAnswer) as error:
            return str(error)

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        spec = _spec(resource)
        if resource.timeouts.start is None:
            timeout_s = await self.start_limit_s(resource)
        if why := self._files.outside(spec.path):
            raise StartFailed(why)
        with _as_start_failed(spec):
            try:
                async with asyncio.timeout(timeout_s):
                    await self._up(resource, spec, timeout_s)
            except TimeoutError as error:
                raise StartFailed(f"{spec.device} was not mounted at {spec.path} within {timeout_s:g} s") from error

    async def start_limit_s(self, resource: RenderedResource) -> float:
        return NETWORK_START_S if is_network(_spec(resource).device) else START_S

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        spec = _spec(resource)
        if resource.timeouts.stop is None:
            timeout_s = STOP_S
        try:
            # What still mounts, for a start that was given up or an agent that is no more, would mount after we have looked.
            await self._programs.end(spec.path, timeout_s)
            note = await unmount(partial(self._look, resource), self._programs, spec, timeout_s)
            sight = await self._look(resource)
            await self._verify(spec, sight, was_mounted=note is not None)
            if sight.volume and sight.is_active and (note is not None or self._notes.source(resource)):
                await self._lvm.let_go(sight.volume, spec.path)
            self._notes.remove(resource)
        except (BusError, OSError, NoAnswer, NoSource) as error:
            raise StopFailed(f"{spec.device} may still be mounted at {spec.path}: {error}") from error
        return note or None

    async def check(self, resource: RenderedResource) -> Seen:
        try:
            return await self._seen(_spec(resource), await self._look(resource))
        except (OSError, NoAnswer) as error:
            return Seen(State.UNKNOWN, str(error))

    async def changes(self, resource: RenderedResource) -> AsyncGenerator[Seen, None]:
        """First what it is now, then every change: the mount table tells, and it is looked at regularly."""
        async with aclosing(self._told()) as told:
            async for seen in looked_at(told, partial(self.check, resource), self._detection):
                yield seen

    async def _told(self) -> AsyncGenerator[bool, None]:
        async with aclosing(follow(LOOK_PERIOD_S, self._files.table)) as told:
            async for by_event in told:
                if by_event:
                    self._detection.told(MOUNTS)
                yield by_event

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        """What we have a note of, and is mounted, or active."""
        found = [(one, await self._look(one)) for one in self._notes.all()]
        return [one for one, sight in found if sight.ours or sight.is_active]

    # Looking

    async def _sight(self, resource: RenderedResource) -> Sight:
        """Raises NoSource, NoAnswer, OSError."""
        spec, table = _spec(resource), read(self._files.table)
        volume = volume_of(spec.device)
        if volume and (dev := await self._lvm.active(volume)):
            return Sight(spec.path, table, Source(volume.path, dev), volume)
        try:
            source = await find(spec, table)
        except NoSource:
            if volume is None:
                raise
            await self._lvm.known(volume)
            return Sight(spec.path, table, Source(volume.path), volume)
        if source.is_disk and (named := leads_to(source.dev, self._lvm.block)):
            why = f"{spec.device} lies on a logical volume, which is found by its own name only while it is not active"
            raise NoSource(f"{why}: name that as device, {named}")
        return Sight(spec.path, table, source)

    async def _look(self, resource: RenderedResource) -> Sight:
        """Also where the device is gone: then what we have mounted is what our note says."""
        spec, table, noted = _spec(resource), read(self._files.table), self._notes.source(resource)
        volume = volume_of(spec.device)
        if volume and (dev := await self._lvm.active(volume)):
            return Sight(spec.path, table, Source(volume.path, dev), volume)
        if volume and noted and noted.name == volume.path:
            return Sight(spec.path, table, Source(volume.path), volume)  # its number may be another's by now
        try:
            source: Source | None = noted or await find(spec, table)
        except NoSource:
            source = None
        return Sight(spec.path, table, source)

    def _activated_by_others(self, resource: RenderedResource, sight: Sight) -> str:
        """Why a volume is not ours to mount, though nobody has it mounted; empty if it is."""
        if not sight.volume or not sight.is_active or sight.ours or self._notes.source(resource):
            return ""
        name = sight.volume.words
        return f"{name} is active on this host, and Backstay has not activated it: lvchange -an {name}"

    async def _refused_by_lvm(self, sight: Sight) -> str:
        return refusal(sight.volume, *await self._lvm.known(sight.volume)) if sight.volume else ""

    async def _seen(self, spec: Mount, sight: Sight) -> Seen:
        if by := sight.hidden_by:
            return Seen(State.UNKNOWN, f"{spec.path} is hidden by {by}: unmount that", left=True)
        if sight.ours:
            return await health(spec, sight.ours[-1])
        if sight.others:
            why = f"{spec.device} is mounted at {points(sight.others)}, and not by Backstay: unmount it there"
            return Seen(State.UNKNOWN, why, left=True)
        other = sight.stranger
        shown = f"{spec.path} shows {other.words} instead" if other else f"nothing is mounted at {spec.path}"
        if sight.volume and sight.is_active:
            shown += f", and {sight.volume.words} is active"
        return Seen(State.STOPPED, f"{spec.device} is not mounted: {shown}")

    async def _obstacle(self, sight: Sight) -> str:
        """Why it cannot be mounted, or is not to be."""
        if sight.stranger is not None:
            return f"{sight.path} has {sight.stranger.words} mounted already, which Backstay has not: unmount that, or choose another path"
        if sight.others:
            return f"its device is mounted at {points(sight.others)} already, and not by Backstay: unmount it there"
        return await look(f"{sight.path} (place)", partial(unfit, sight.path))

    # Doing

    async def _up(self, resource: RenderedResource, spec: Mount, timeout_s: float) -> None:
        await self._programs.end(spec.path, timeout_s)
        before = await self._look(resource)
        if not before.ours and not before.is_active:
            self._notes.remove(resource)  # of a start that came to nothing; the device may have another number by now
        sight = before if before.ours else await self._sight(resource)
        assert sight.source is not None
        if why := await self._obstacle(sight) or self._activated_by_others(resource, sight):
            raise StartFailed(why)
        # The note comes first: from here on it may be active, or mounted.
        self._notes.write(resource, sight.source)
        if not sight.ours:
            source = await self._active_source(resource, sight, timeout_s)
            await look(f"{spec.path} (made)", partial(os.makedirs, spec.path, mode=0o755, exist_ok=True))
            await check_and_mount(self._programs, spec, source, timeout_s)
            self._note_what_shows(resource, source)
        seen = await self._seen(spec, await self._look(resource))
        if seen.state is not State.RUNNING and not seen.left:
            raise StartFailed(
                f"{spec.device} is not to be used at {spec.path}: {seen.why or 'it is not mounted there'}"
            )

    def _note_what_shows(self, resource: RenderedResource, source: Source) -> None:
        """A file system on several disks (btrfs, bcachefs) shows another than it was asked for by: that one is ours from now on."""
        top = Sight(_spec(resource).path, read(self._files.table), source).top
        if source.is_disk and top is not None and not source.is_in(top):
            self._notes.write(resource, replace(source, dev=top.dev))

    async def _active_source(self, resource: RenderedResource, sight: Sight, timeout_s: float) -> Source:
        assert sight.source is not None
        if sight.volume is None:
            return sight.source
        if not sight.is_active:
            await self._lvm.activate(sight.volume, sight.path, timeout_s)
        source = Source(sight.volume.path, await self._lvm.active(sight.volume))
        self._notes.write(resource, source)
        return source

    async def _verify(self, spec: Mount, sight: Sight, *, was_mounted: bool) -> None:
        """Nothing on this host uses the disk any more, whatever the table of the host shows. Raises StopFailed."""
        if sight.others:
            raise StopFailed(f"{spec.device} is still mounted at {points(sight.others)}: unmount it there")
        if sight.source is None or not sight.source.is_disk:
            return
        for again in reversed(range(_TRIES)):  # what has just ended is tidied up by the kernel a little later
            why = await _still_used(sight.source, was_mounted=was_mounted)
            if not why:
                return
            await asyncio.sleep(_AGAIN_S if again else 0)
        raise StopFailed(f"{spec.device} is unmounted, and not free: {why}")


def _spec(resource: RenderedResource) -> Mount:
    assert resource.mount is not None, f"{resource.name} is no mount resource"
    return resource.mount


async def _missing_program(spec: Mount, sight: Sight) -> str:
    programs = [*await needed(spec, sight.source), *(["lvm", "dmsetup"] if sight.volume else [])]
    for program in programs:
        if not await installed(program):
            return lacks(program, spec.device)
    return ""


async def _still_used(source: Source, *, was_mounted: bool) -> str:
    if hidden := await look(f"/proc (who has {source.dev})", partial(elsewhere, source.dev), limit_s=_PROC_S):
        return listed(hidden)
    return await look(f"{source.name} (alone)", partial(claim_alone, source.name)) if was_mounted else ""


def _line_of_fstab(fstab: Path, path: str, source: Source) -> str:
    try:
        return in_fstab(fstab.read_text(errors="surrogateescape"), path, source.is_named)
    except FileNotFoundError:
        return ""


@contextmanager
def _as_start_failed(spec: Mount) -> Iterator[None]:
    try:
        yield
    except (BusError, OSError, NoAnswer, NoSource, StopFailed) as error:
        raise StartFailed(f"{spec.device} at {spec.path}: {error}") from error
