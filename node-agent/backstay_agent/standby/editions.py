"""Brings files to this host: keeps their editions, has them checked, puts them in place, and takes back what the service is not well with.

What is done next is decided by `core/editions.py`; here it is carried out, one file beside the other, each decision remembered before its
effect.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from backstay_agent.core.editions import (
    Act,
    Edition,
    Examine,
    FileRecord,
    Note,
    Put,
    Situated,
    Tell,
    Trying,
    before_a_start,
    facts_of,
    fault_of,
    in_place,
    next_act,
    without_words,
)
from backstay_agent.drivers.base import NotInstalled, Observed, StartFailed
from backstay_agent.host_system import HostSystem
from backstay_agent.store.disk import Disk, DiskTrouble
from backstay_agent.tasks import end_tasks
from backstay_api.objects.durations import seconds
from backstay_api.objects.editions import (
    EDITION,
    KEEP,
    edition_id,
    edition_on,
    is_brought,
    is_secret,
    secret_edition,
    tried_by,
)
from backstay_api.objects.plain import (
    ExpectedCopy,
    PrerequisiteOrder,
    RenderedFile,
    RenderedPrerequisite,
)
from backstay_api.process.waiting import clock_s, within

from .running import Running
from .secret_files import Fetched, SecretFiles

LOOK_AGAIN_S: Final = 10.0
SOAKING_LOOK_S: Final = 0.5
"""What runs on trial is looked at so often: what fails is taken back at once."""
CHOSEN_S: Final = 120.0
"""So long what was put in place for a start stays there, though nothing runs yet."""
MOST_STEPS: Final = 32

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""UID of the HAInstance, name of the resource."""


@dataclass
class _Kept:
    """One file."""

    order: PrerequisiteOrder
    file: RenderedFile
    record: FileRecord | None = None
    trying: Trying | None = None
    chosen: tuple[str, float] = ("", 0.0)
    """The edition that was put in place for a start, and until when."""
    trouble: str = ""
    secret: Fetched = field(default_factory=Fetched)
    """What is in it, of a file from a Secret, until that is remembered."""
    seen: Situated | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Editions:
    """All files that services bring to this host."""

    def __init__(
        self,
        system: HostSystem,
        disk: Disk,
        running: Running,
        on_change: Callable[[], None],
        refusal: Callable[[str, Sequence[RenderedPrerequisite]], str],
        secrets: SecretFiles,
    ) -> None:
        """`refusal`: why the host's policy does not let services of a namespace bring these; empty if it does."""
        self._system, self._disk, self._running = system, disk, running
        self._on_change, self._refusal, self._host, self._secrets = on_change, refusal, secrets.host, secrets
        self._kept: dict[Key, _Kept] = {}
        self._is_live = False

    def update(self, orders: Mapping[str, PrerequisiteOrder]) -> None:
        """What shall be here from now on. What is not named any more stays in place as it is."""
        wanted = {
            (uid, one.name): (order, one.file)
            for uid, order in orders.items()
            for one in order.resources
            if one.file is not None and is_brought(one.file)
        }
        paths = {key: file.path for key, (_, file) in wanted.items()}
        for key in [key for key, kept in self._kept.items() if paths.get(key) != kept.file.path]:
            if (task := self._kept.pop(key).task) is not None:
                task.cancel()
        for key, (order, file) in wanted.items():
            kept = self._kept.setdefault(key, _Kept(order, file))
            if (kept.order, kept.file) != (order, file):
                kept.order, kept.file = order, file
                kept.wake.set()
        self._begin()

    async def run(self) -> None:
        """Carry out what is decided, until cancelled."""
        self._is_live = True
        self._begin()
        try:
            await asyncio.Event().wait()
        finally:
            await end_tasks([kept.task for kept in self._kept.values() if kept.task is not None])

    def _begin(self) -> None:
        for key, kept in self._kept.items() if self._is_live else ():
            if kept.task is None:
                kept.task = asyncio.create_task(self._keep(key, kept), name=f"file {kept.file.path}")

    async def look(self, resource: RenderedPrerequisite, uid: str) -> Observed:
        """What is seen of a prerequisite: of a file that is brought here, how far it has come."""
        if resource.file is None or not is_brought(resource.file):
            return await self._system.look(resource, uid)
        kept = self._kept.get((uid, resource.name))
        view = kept.seen if kept is not None else None
        if kept is None or view is None:
            why = kept.trouble if kept is not None and kept.trouble else "is not in place yet"
            return Observed(f"{resource.file.path}: {why}" if kept and kept.trouble else f"{resource.file.path} {why}")
        return Observed(fault_of(view), facts_of(view, trouble=kept.trouble))

    async def take(self, uid: str, expects: Sequence[ExpectedCopy]) -> str:
        """Before a start: put in place what the host was chosen with. What keeps it from that, in a sentence; empty: nothing."""
        expected = {one.name: one.facts.get(EDITION, "") for one in expects}
        mine = [(key, kept) for key, kept in self._kept.items() if key[0] == uid]
        whys = [await self._taken(key, kept, expected.get(key[1], "")) for key, kept in mine]
        return "; ".join(filter(None, whys))

    async def take_back(self, uid: str) -> str:
        """Before what has run here is started anew: put back what was there before an edition that has failed. What keeps it from that, in
        a sentence; empty: nothing."""
        whys = [await self._taken_back(key, kept) for key, kept in self._kept.items() if key[0] == uid]
        return "; ".join(filter(None, whys))

    async def _taken_back(self, key: Key, kept: _Kept) -> str:
        if self._refused(key, kept) or self._running.hands_off(key[0]):
            return ""  # it is not touched, whatever is there
        async with kept.lock:
            try:
                while (act := before_a_start(view := await self._view(key, kept))) is not None:
                    await self._carry_out(key, kept, view, act)
            except (NotInstalled, DiskTrouble) as error:
                return str(error)
        kept.wake.set()
        return ""

    async def _taken(self, key: Key, kept: _Kept, expected: str) -> str:
        if why := self._refused(key, kept):
            return why
        async with kept.lock:
            wanted = expected or kept.file.use or edition_id(kept.file)
            try:
                view = await self._view(key, kept)
                if wanted != KEEP and in_place(view) != wanted:
                    if wanted not in view.record.checked:
                        return f"{kept.file.path}: this host does not have the edition that it was chosen with"
                    await self._put(key, kept, view, wanted)
                kept.chosen = (wanted, clock_s() + CHOSEN_S)
                kept.seen = replace(await self._view(key, kept), now_s=0.0)
                self._on_change()
            except (NotInstalled, DiskTrouble) as error:
                return str(error)
        return ""

    # --- one file --------------------------------------------------------------------------------------------------

    async def _keep(self, key: Key, kept: _Kept) -> None:
        while True:
            kept.wake.clear()
            before = (kept.seen, kept.trouble)
            try:
                await self._steps(key, kept)
            except Exception as error:
                # Whatever it is, it is this one's, and may pass. Its words might quote what was read.
                log.warning("file not brought", extra={"path": kept.file.path, "error": type(error).__name__})
                kept.trouble = f"it could not be brought: {type(error).__name__}"
            if before != (kept.seen, kept.trouble):
                self._on_change()
            is_soaking = kept.record is not None and (kept.record.trial or kept.record.is_reverting)
            await within(kept.wake, SOAKING_LOOK_S if is_soaking else LOOK_AGAIN_S)

    async def _steps(self, key: Key, kept: _Kept) -> None:
        """Until there is nothing to do but to wait."""
        if why := self._refused(key, kept):
            kept.trouble = why
            return
        try:
            await self._know(key, kept)
            for _ in range(MOST_STEPS):
                async with kept.lock:
                    view = await self._view(key, kept)
                    act = next_act(view)
                    kept.seen = replace(view, now_s=0.0)
                    if act is None or (view.record.editions and self._running.hands_off(key[0])):
                        kept.trouble = view.missing
                        return
                    if not await self._carry_out(key, kept, view, act):
                        return
        except (NotInstalled, DiskTrouble) as error:
            if kept.trouble != str(error):
                log.warning("file not brought", extra={"path": kept.file.path, "why": str(error)})
            kept.trouble = str(error)

    def _refused(self, key: Key, kept: _Kept) -> str:
        """Why the host's policy does not let the service bring it."""
        return self._refusal(kept.order.namespace, [RenderedPrerequisite(name=key[1], file=kept.file)])

    async def _carry_out(self, key: Key, kept: _Kept, view: Situated, act: Act) -> bool:
        """Whether it was done: if not, it is decided once more after a while."""
        match act:
            case Note(record):
                await self._note(key, kept, record)
            case Examine(edition):
                why = await self._checked(key, kept, view)
                record = view.record
                done = record.refusing(edition, why) if why else replace(record, checked=(*record.checked, edition))
                await self._note(key, kept, done)
            case Put(edition):
                await self._put_or_refuse(key, kept, view, edition)
            case Tell(edition):
                return await self._tell(key, kept, view, edition)
        return True

    async def _checked(self, key: Key, kept: _Kept, view: Situated) -> str:
        """All that the service brings is seen at its place, for one file may name another."""
        if not kept.file.validate_with:
            return ""
        mine = {other: one for other, one in self._kept.items() if other[0] == key[0]}
        seen = [one for other, one in mine.items() if not self._refused(other, one)]
        editions = {one.file.path: self._wanted(one) for one in seen}
        if missing := [why for _, why in editions.values() if why]:
            raise NotInstalled(f"{kept.file.path} is checked together with others: {missing[0]}")
        found = {path: edition for path, (edition, _) in editions.items()}
        why = await self._system.files.check(kept.file.validate_with, found)
        return without_words(why, found) if why and any(is_secret(one.file) for one in self._kept.values()) else why

    async def _put_or_refuse(self, key: Key, kept: _Kept, view: Situated, edition: str) -> None:
        try:
            await self._put(key, kept, view, edition)
        except NotInstalled as error:
            # Where nothing runs it is tried again: a disk that was full, or a folder that was not there, says nothing of the edition.
            if edition != view.record.trial:
                raise
            await self._note(key, kept, view.record.refusing(edition, str(error), is_reverting=True))

    async def _put(self, key: Key, kept: _Kept, view: Situated, edition: str) -> None:
        if (here := in_place(view)) and here != edition:
            await self._note(key, kept, replace(view.record, back=here))
        kept.trying = None
        await self._system.files.put(kept.file.path, view.record.editions[edition])

    async def _tell(self, key: Key, kept: _Kept, view: Situated, edition: str) -> bool:
        self._on_change()  # where this host is lost meanwhile, the next one must know what was on trial here
        record, why = view.record, await self._told(key[0], kept.file)
        if why is None:
            return False
        if record.is_reverting:
            # What cannot be reloaded is restarted by its probes, and finds the right file then.
            await self._note(key, kept, replace(record, is_reverting=False))
        elif why:
            await self._note(key, kept, record.refusing(edition, why, is_reverting=True))
        else:
            kept.trying = Trying(edition=edition, since_s=clock_s(), restarts=view.restarts)
        return True

    async def _told(self, uid: str, file: RenderedFile) -> str | None:
        """Why what runs has not read its files anew, in a sentence; empty: it has; None: it could not be had do so now."""
        if file.rollout is not None and file.rollout.restart:
            return await self._running.restart(uid, file.rollout.restart)
        # By name: what was started comes before what an edit wants of it.
        running = {one.name: one for one in reversed(self._running.ours().get(uid, ())) if one.name in file.reload}
        try:
            for resource in running.values():
                await self._system.files.tell(resource)
        except StartFailed as error:
            return str(error)
        return ""

    async def _view(self, key: Key, kept: _Kept) -> Situated:
        kept.record = await self._record(key, kept)
        there = await self._system.files.read(kept.file.path)
        if not kept.record.editions and (is_secret(kept.file) or not there.is_for_all):
            # What was there before may be a password: it is not named by what is in it.
            there = replace(there, named=self._secrets.another_name())
        runs, report = self._running.runs(key[0]), self._running.reports().get(key[0])
        target, missing = self._wanted(kept)
        use, until_s = kept.chosen
        if runs or clock_s() >= until_s:
            kept.chosen, use = ("", 0.0), ""
        is_well = report is not None and report.phase == "Running" and report.healthy
        rollout = kept.file.rollout
        return Situated(
            record=kept.record,
            target=target,
            missing=missing,
            use=use or kept.file.use or target.id,
            there=there,
            runs=runs,
            is_well=is_well,
            trouble=report.why if report is not None and not is_well else "",
            restarts=report.restarts if report is not None else 0,
            trying=kept.trying,
            is_restarted=self._running.is_restarted(key[0]),
            was_cut_off=self._running.was_cut_off(key[0]),
            soak_s=seconds(rollout.soak) if rollout is not None and rollout.soak else None,
            tries=tried_by(rollout),
            retried=(rollout.retried_at or "") if rollout is not None else "",
            now_s=clock_s(),
        )

    async def _know(self, key: Key, kept: _Kept) -> None:
        """Ask for what is in a file from a Secret, where that is not remembered: neither while a start waits, nor while one is on trial."""
        async with kept.lock:
            record = kept.record = await self._record(key, kept)
        name = kept.file.secret
        if not name or edition_id(kept.file) in record.editions:
            kept.secret = Fetched()
            return
        if record.trial or record.is_reverting or not kept.secret.is_due(name, clock_s()):
            return
        try:
            fetched = Fetched(name=name, text=await self._secrets.text(name))
        except NotInstalled as error:
            fetched = Fetched(name=name, why=f"{kept.file.path}: {error}")
        kept.secret = replace(fetched, at_s=clock_s())

    def _wanted(self, kept: _Kept) -> tuple[Edition, str]:
        """What the manifest wants there; and why what is in it is not known, if so."""
        if not kept.file.secret:
            return edition_on(kept.file, self._host), ""
        wanted = edition_id(kept.file)
        if kept.record is not None and wanted in kept.record.editions:
            return kept.record.editions[wanted], ""
        if kept.secret.name == kept.file.secret and kept.secret.text is not None:
            return secret_edition(kept.file, kept.secret.text), ""
        why = kept.secret.why if kept.secret.name == kept.file.secret else ""
        return Edition(named=wanted), why or f"{kept.file.path}: what is in it has not been asked for yet"

    async def _record(self, key: Key, kept: _Kept) -> FileRecord:
        return kept.record if kept.record is not None else await self._read(key, kept.file.path)

    async def _read(self, key: Key, path: str) -> FileRecord:
        text = await self._disk.read(_name(key))
        try:
            record = FileRecord.from_json(json.loads(text)) if text else FileRecord(path=path)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DiskTrouble(f"what is remembered of {path} cannot be read: {error}; remove {_name(key)}") from error
        return record if record.path == path else FileRecord(path=path)

    async def _note(self, key: Key, kept: _Kept, record: FileRecord) -> None:
        await self._disk.write(_name(key), json.dumps(record.to_json()))
        kept.record = record


def _name(key: Key) -> str:
    return f"state/file-{key[0]}-{key[1]}"
