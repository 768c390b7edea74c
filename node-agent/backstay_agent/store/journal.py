"""The agent's memory: the books in `/run`, written before every effect, and the inventory in `/var/lib` in case `/run` is lost.

The inventory says what *may* run in this boot. It is written and forced to disk before the first start of something, taken back
lazily, and so may name too much but never too little. It also names the sessions of this boot, in case the status that lists
them is deleted. Both carry a check sum: what is truncated or altered is not trusted.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from backstay_agent.core.books import Books, Record, only_ends
from backstay_agent.core.sessions import SUPERSEDES_MOST, Inventory, JournalState
from backstay_api.objects.edits import same_work
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


@dataclass(eq=False)
class _Change:
    """One change of the books, and what became of it."""

    how: Callable[[Books], Books]
    books: Books | None = None
    error: Exception | None = None
    is_over: bool = False

    def applied_to(self, books: Books) -> Books:
        self.books, self.error = None, None
        try:
            self.books = self.how(books)
        except Exception as error:
            self.error = error
            return books
        return self.books

    def outcome(self) -> Books:
        """Raises what `how` has raised, or DiskTrouble."""
        if self.error is not None:
            raise self.error
        assert self.books is not None, "it has not been its turn"
        return self.books


class Journal:
    """The books of the present session; every change is on disk before it counts."""

    def __init__(self, disk: Disk, boot_id: str) -> None:
        self._disk = disk
        self._boot_id = boot_id
        self._books: Books | None = None
        self._covered: dict[str, Resources] = {}
        self._sessions = _Sessions()
        """As the inventory has them."""
        self._ahead: Mapping[str, Resources] = {}
        self._lock = asyncio.Lock()
        self._waiting: list[_Change] = []
        self._texts: dict[str, tuple[Record, str]] = {}
        """Each record as it was written last."""
        self._inventory_lock = asyncio.Lock()

    @property
    def books(self) -> Books:
        assert self._books is not None, "there is no session yet"
        return self._books

    @property
    def has_session(self) -> bool:
        return self._books is not None

    async def load(self) -> Found:
        """Read what is there. Only an intact journal of this boot becomes our books."""
        kept, broken_journal = await self._load_books()
        inventory, broken_inventory = await self._load_inventory()
        why = "; ".join(sentence for sentence in (broken_journal, broken_inventory) if sentence)
        return Found(kept, inventory, tuple(self._covered.values()), why)

    async def open(self, nonce: str) -> None:
        """A first session, or one after everything that was found is verifiably stopped."""
        known = self._sessions
        await self._write(
            Books(boot_id=self._boot_id, nonce=nonce, earlier=known.nonces, earlier_seq=known.seq, records={})
        )

    async def change(self, how: Callable[[Books], Books]) -> Books:
        """Change the books: first on disk, then in memory. Raises DiskTrouble, and then nothing has changed.

        `how` is called when it is its turn, with the books as they are then; what it raises comes out here. What has come to wait
        meanwhile is written together.
        """
        mine = _Change(how)
        self._waiting.append(mine)
        try:
            async with self._lock:
                if not mine.is_over:
                    await self._write_together()
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
        return mine.outcome()

    async def _write_together(self) -> None:
        changes, self._waiting = self._waiting, []
        try:
            await self._carry_out(changes)
        except BaseException:
            # Only whoever writes is cancelled: the others are written by the next of them.
            self._waiting[:0] = [change for change in changes if not change.is_over]
            raise

    async def _carry_out(self, changes: Sequence[_Change]) -> None:
        new = self.books
        for change in changes:
            new = change.applied_to(new)
        try:
            if new is not self.books and new != self.books:
                await self._write(new)
        except DiskTrouble as error:
            if len(changes) > 1:  # each by itself: where there is no room for a start, there is for an end
                for change in changes:
                    await self._carry_out([change])
                return
            changes[0].error = changes[0].error or error
        for change in changes:
            change.is_over = True

    async def restrict(self, how: Callable[[Books], Books]) -> None:
        """Change the books to something stricter: it counts at once, and even if it cannot be written now.

        The next change writes it; if the agent dies before, its successor meets the reason for it again.
        """
        async with self._lock:
            self._books = how(self.books)
            try:
                await self._write(self._books)
            except DiskTrouble as error:
                log.warning(
                    "journal not written: a stricter rule is in force, and only in memory", extra={"why": str(error)}
                )

    async def cover(self, uid: str, resources: Resources) -> None:
        """Make sure that the inventory lists this before it is started. Raises DiskTrouble."""
        async with self._inventory_lock:
            if not same_work(self._covered.get(uid, ()), resources):
                await self._write_inventory({**self._open_records(), uid: resources})

    async def cover_ahead(self, ahead: Mapping[str, Resources]) -> None:
        """Let the inventory list what may have to be started soon, so that a failover need not wait for the platter.

        Raises DiskTrouble; then the start itself will try again.
        """
        async with self._inventory_lock:
            self._ahead = ahead
            if self._sessions != _sessions(self._books) or any(
                not same_work(self._covered.get(uid, ()), resources) for uid, resources in ahead.items()
            ):
                await self._write_inventory(self._open_records())

    def _open_records(self) -> dict[str, Resources]:
        """What may run, may have to be started soon, or is covered and still known: what is over is left out."""
        records = self._books.records if self._books else {}
        running = {uid: record.resources for uid, record in records.items() if record.may_run}
        known = {uid: covered for uid, covered in self._covered.items() if uid in records and not records[uid].closed}
        return {**self._ahead, **known, **running}

    async def _write(self, books: Books) -> None:
        # Without a session there is nothing that could have ended.
        is_end = self._books is not None and only_ends(self._books, books)
        await self._disk.write(JOURNAL, _signed(self._text(books)), from_reserve=is_end)
        self._books = books

    def _text(self, books: Books) -> str:
        """As JSON. Of hundreds of records one has changed: the others are known as text."""
        known = self._texts
        self._texts = {
            uid: before if (before := known.get(uid)) and before[0] is record else (record, _json(record.to_wire()))
            for uid, record in books.records.items()
        }
        frame = _json(replace(books, records={}).to_wire())
        head, empty, end = frame.rpartition("[]")
        assert empty and end == "}", f"the records do not come last: {frame[-80:]}"
        return f"{head}[{','.join(text for _, text in self._texts.values())}]{end}"

    async def _write_inventory(self, covered: dict[str, Resources]) -> None:
        instances = {uid: [resource.to_wire() for resource in resources] for uid, resources in covered.items()}
        sessions = _sessions(self._books)
        wire = {"bootID": self._boot_id, "instances": instances, "nonces": list(sessions.nonces), "seq": sessions.seq}
        await self._disk.write(INVENTORY, _signed(_json(wire)))
        self._covered, self._sessions = covered, sessions

    async def _load_books(self) -> tuple[JournalState, str]:
        try:
            text = await self._disk.read(JOURNAL)
            if text is None:
                return JournalState.ABSENT, ""
            books = Books.from_wire(_verified(text))
        except (DiskTrouble, KeyError, TypeError, ValueError) as error:
            return JournalState.BROKEN, f"the journal cannot be trusted: {error!s}"
        if books.boot_id != self._boot_id:
            return JournalState.OTHER_BOOT, ""
        self._books = books
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


def _sessions(books: Books | None) -> _Sessions:
    return _Sessions(books.nonces[-SUPERSEDES_MOST:], books.highest_seq) if books else _Sessions()


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
