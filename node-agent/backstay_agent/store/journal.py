"""The agent's memory: the checkpoint in `/run`, written before every effect, and the inventory in `/var/lib` in case `/run` is lost.

The inventory says what *may* run in this boot. It is written and forced to disk before the first start of something, taken back
lazily, and so may name too much but never too little. It also names the sessions of this boot, in case the status that lists
them is deleted. Both carry a check sum: what is truncated or altered is not trusted.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from backstay_agent.core.checkpoint import Checkpoint, Record, only_ends
from backstay_agent.core.sessions import SUPERSEDES_MOST, Inventory, JournalState
from backstay_api.objects.edits import same_stop
from backstay_api.objects.plain import RenderedResource

from .disk import Disk, DiskTrouble

log = logging.getLogger(__name__)

JOURNAL: Final = "run/journal"
INVENTORY: Final = "state/inventory"

Resources = tuple[RenderedResource, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was left by an earlier agent."""

    kept: JournalState
    inventory: Inventory
    may_run: tuple[Resources, ...]
    """What the inventory of this boot lists, instance by instance."""
    why: str = ""
    """Where something is broken, what."""


@dataclass(frozen=True, slots=True)
class _Sessions:
    """The sessions of this boot."""

    nonces: tuple[str, ...] = ()
    seq: int = 0
    """The highest that one of them was published with."""


class Journal:
    """The checkpoint of the present session; every change is on disk before it counts."""

    def __init__(self, disk: Disk, boot_id: str) -> None:
        self._disk = disk
        self._boot_id = boot_id
        self._checkpoint: Checkpoint | None = None
        self._covered: dict[str, Resources] = {}
        self._sessions = _Sessions()
        """As the inventory has them."""
        self._ahead: Mapping[str, Resources] = {}
        self._lock = asyncio.Lock()
        self._texts: dict[str, tuple[Record, str]] = {}
        """Each record as it was written last."""
        self._inventory_lock = asyncio.Lock()

    @property
    def checkpoint(self) -> Checkpoint:
        assert self._checkpoint is not None, "there is no session yet"
        return self._checkpoint

    @property
    def has_session(self) -> bool:
        return self._checkpoint is not None

    async def load(self) -> Found:
        """Read what is there. Only an intact journal of this boot becomes our checkpoint."""
        kept, broken_journal = await self._load_checkpoint()
        inventory, broken_inventory = await self._load_inventory()
        why = "; ".join(sentence for sentence in (broken_journal, broken_inventory) if sentence)
        return Found(kept, inventory, tuple(self._covered.values()), why)

    async def open(self, nonce: str) -> None:
        """A first session, or one after everything that was found is verifiably stopped."""
        known = self._sessions
        await self._write(
            Checkpoint(boot_id=self._boot_id, nonce=nonce, earlier=known.nonces, earlier_seq=known.seq, records={})
        )

    async def change(self, how: Callable[[Checkpoint], Checkpoint]) -> Checkpoint:
        """Change the checkpoint: first on disk, then in memory. Raises DiskTrouble, and then nothing has changed.

        `how` is called when it is its turn, with the checkpoint as it is then; what it raises comes out here.
        """
        async with self._lock:
            new = how(self.checkpoint)
            if new is not self.checkpoint and new != self.checkpoint:
                await self._write(new)
            return new

    async def restrict(self, how: Callable[[Checkpoint], Checkpoint]) -> None:
        """Change the checkpoint to something stricter: it counts at once, and even if it cannot be written now.

        The next change writes it; if the agent dies before, its successor meets the reason for it again.
        """
        async with self._lock:
            self._checkpoint = how(self.checkpoint)
            try:
                await self._write(self._checkpoint)
            except DiskTrouble as error:
                log.warning(
                    "journal not written: a stricter rule is in force, and only in memory", extra={"why": str(error)}
                )

    async def cover(self, uid: str, resources: Resources) -> None:
        """Make sure that the inventory lists this before it is started. Raises DiskTrouble."""
        async with self._inventory_lock:
            if not same_stop(self._covered.get(uid, ()), resources):
                await self._write_inventory({**self._open_records(), uid: resources})

    async def cover_ahead(self, ahead: Mapping[str, Resources]) -> None:
        """Let the inventory list what may have to be started soon, so that a failover need not wait for the platter.

        Raises DiskTrouble; then the start itself will try again.
        """
        async with self._inventory_lock:
            self._ahead = ahead
            if self._sessions != _sessions(self._checkpoint) or any(
                not same_stop(self._covered.get(uid, ()), resources) for uid, resources in ahead.items()
            ):
                await self._write_inventory(self._open_records())

    def _open_records(self) -> dict[str, Resources]:
        """What may run, may have to be started soon, or is covered and still known: what is over is left out."""
        records = self._checkpoint.records if self._checkpoint else {}
        running = {uid: record.resources for uid, record in records.items() if record.may_run}
        known = {uid: covered for uid, covered in self._covered.items() if uid in records and not records[uid].closed}
        return {**self._ahead, **known, **running}

    async def _write(self, checkpoint: Checkpoint) -> None:
        # Without a session there is nothing that could have ended.
        is_end = self._checkpoint is not None and only_ends(self._checkpoint, checkpoint)
        await self._disk.write(JOURNAL, _signed(self._text(checkpoint)), from_reserve=is_end)
        self._checkpoint = checkpoint

    def _text(self, checkpoint: Checkpoint) -> str:
        """As JSON. Of hundreds of records one has changed: the others are known as text."""
        known = self._texts
        self._texts = {
            uid: before if (before := known.get(uid)) and before[0] is record else (record, _json(record.to_wire()))
            for uid, record in checkpoint.records.items()
        }
        frame = _json({**replace(checkpoint, records={}).to_wire(), "format": checkpoint.format})
        head, empty, end = frame.rpartition("[]")
        assert empty and end == "}", f"the records do not come last: {frame[-80:]}"
        return f"{head}[{','.join(text for _, text in self._texts.values())}]{end}"

    async def _write_inventory(self, covered: dict[str, Resources]) -> None:
        instances = {uid: [resource.to_wire() for resource in resources] for uid, resources in covered.items()}
        sessions = _sessions(self._checkpoint)
        wire = {"bootID": self._boot_id, "instances": instances, "nonces": list(sessions.nonces), "seq": sessions.seq}
        await self._disk.write(INVENTORY, _signed(_json(wire)))
        self._covered, self._sessions = covered, sessions

    async def _load_checkpoint(self) -> tuple[JournalState, str]:
        try:
            text = await self._disk.read(JOURNAL)
            if text is None:
                return JournalState.ABSENT, ""
            checkpoint = Checkpoint.from_wire(_verified(text))
        except (DiskTrouble, KeyError, TypeError, ValueError) as error:
            return JournalState.BROKEN, f"the journal cannot be trusted: {error!s}"
        if checkpoint.boot_id != self._boot_id:
            return JournalState.OTHER_BOOT, ""
        self._checkpoint = checkpoint
        return JournalState.INTACT, ""

    async def _load_inventory(self) -> tuple[Inventory, str]:
        try:
            text = await self._disk.read(INVENTORY)
            if text is None:
                return Inventory.EMPTY, ""
            raw = _verified(text)
            boot_id, covered = (
                raw["bootID"],
                {
                    uid: tuple(RenderedResource.from_wire(item) for item in items)
                    for uid, items in raw["instances"].items()
                },
            )
            sessions = _Sessions(tuple(map(str, raw.get("nonces", ()))), int(raw.get("seq", 0)))
        except (DiskTrouble, KeyError, TypeError, ValueError, AttributeError) as error:
            return Inventory.BROKEN, f"the inventory cannot be trusted: {error!s}"
        if boot_id != self._boot_id:
            return Inventory.OTHER_BOOT, ""
        self._covered, self._sessions = covered, sessions
        return Inventory.THIS_BOOT if covered else Inventory.EMPTY, ""


def _sessions(checkpoint: Checkpoint | None) -> _Sessions:
    return _Sessions(checkpoint.nonces[-SUPERSEDES_MOST:], checkpoint.highest_seq) if checkpoint else _Sessions()


def _json(wire: Mapping[str, Any]) -> str:
    return json.dumps(wire, separators=(",", ":"))


def _signed(text: str) -> str:
    return f"{text}\n{_check_sum(text)}\n"


def _verified(text: str) -> dict[str, Any]:
    body, newline, check_sum = text.rstrip("\n").rpartition("\n")
    if not newline or _check_sum(body) != check_sum:
        raise ValueError("its check sum does not match: it was truncated or altered")
    raw = json.loads(body)
    if not isinstance(raw, dict):
        raise TypeError("it is not an object")
    return raw


def _check_sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
