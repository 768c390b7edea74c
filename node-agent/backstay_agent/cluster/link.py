"""The agent's line to its HostAssignment: receives what the host shall do, and reports what the host does.

One writer for the whole status, by compare-and-swap: a delayed write of an earlier life loses. Before every write it is made
sure that the session stored there is still our own, or that ours may now be opened (`core.sessions.to_publish`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from backstay_agent.core.brief_status import ever_shorter, within_bounds
from backstay_agent.core.orders import Orders, read_orders
from backstay_agent.core.refused import explained, is_too_much
from backstay_agent.core.sessions import Overtaken, Publish, WrongMachine, to_publish
from backstay_agent.store.disk import DiskTrouble
from backstay_agent.store.journal import Journal
from backstay_api.client.api import Api, Event, EventType
from backstay_api.client.errors import ApiError, Conflict, Forbidden, OutcomeUnknown, Unauthorized
from backstay_api.client.informer import Informer, RetryPause
from backstay_api.objects.kinds import Kind
from backstay_api.objects.plain import AgentSession, HostAssignment, HostAssignmentStatus, Meta

log = logging.getLogger(__name__)

# The status is how a released epoch becomes known: it must not wait long after an outage.
BACKOFF: Final = RetryPause(0.1, 2.0)


REFUSED_AGAIN_S: Final = 60.0
"""Until a status that was refused as a whole is tried as a whole again."""


@dataclass(frozen=True, slots=True)
class UnreadableAssignment:
    """A HostAssignment that this agent cannot read at all."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(HostAssignment):
    """A HostAssignment with what this release understands of its orders."""

    orders: Orders | None = None
    """None: they are none. An order that is not understood is no order."""
    why: str = ""
    """What of them is not understood."""


Stored = HostAssignment | UnreadableAssignment


class LastOrders:
    """Reads orders only where they have changed: with every status of ours all of them come back."""

    def __init__(self) -> None:
        self._last: tuple[Mapping[str, Any], Orders] | None = None

    def __call__(self, spec: Mapping[str, Any]) -> Orders:
        if self._last is None or self._last[0] != spec:
            self._last = spec, read_orders(spec)
        return self._last[1]


def _read(raw: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Orders] = read_orders) -> Stored:
    try:
        metadata, status = Meta.from_wire(raw["metadata"]), _read_status(raw.get("status") or {})
    except _NO_OBJECT as error:
        return UnreadableAssignment(f"the assignment cannot be read: {error!r}")
    try:
        orders = read(raw.get("spec") or {})
    except _NO_OBJECT as error:
        return Received(metadata=metadata, status=status, why=f"the orders cannot be read: {error}")
    return Received(metadata=metadata, status=status, spec=orders.spec, orders=orders, why=orders.trouble)


def _read_status(raw: Mapping[str, Any]) -> HostAssignmentStatus:
    """Only the session matters; the rest we have said ourselves, or a later release of us."""
    session = None if (found := raw.get("session")) is None else AgentSession.from_wire(found)
    try:
        return HostAssignmentStatus.from_wire(raw)
    except _NO_OBJECT:
        return HostAssignmentStatus(session=session)


_NO_OBJECT: Final = (KeyError, TypeError, ValueError, AttributeError)


def _write(stored: Stored) -> dict[str, Any]:
    assert isinstance(stored, HostAssignment)
    # A status is written alone: what we did not understand of the spec is not ours to change.
    return HostAssignment.to_wire(stored)


ASSIGNMENTS: Final[Kind[Stored]] = Kind(
    "backstay.dev", "v1alpha1", "hostassignments", "HostAssignment", False, _read, _write, has_status=True
)


class KeepsHeld(Protocol):
    """Goes by what others can know of its words (`models/giving_back.py`)."""

    def read(self, stored: HostAssignment) -> None:
        """What we have said last stands in it, by the answer to that write, and it was told by the watch, so that no orders from before are
        still on their way. Told before its orders are."""

    def says(self, status: HostAssignmentStatus) -> None:
        """This is sent next; of what was to be said, something may have been left out."""


@dataclass(frozen=True)
class Listeners:
    """Whom the link tells what."""

    on_orders: Callable[[Orders], None]
    on_published: Callable[[], None]
    """Our session is in the status, and its seq in the journal."""
    on_overtaken: Callable[[str], None]
    """Somebody opened a newer session of this host."""
    on_another: Callable[[], None]
    """It is another object: what we had said went with the one before. Told before its orders are."""
    held: KeepsHeld


class Link:
    """Watches one HostAssignment and keeps its status true."""

    def __init__(
        self,
        api: Api,
        journal: Journal,
        *,
        host: str,
        machine_uuid: str,
        rng: random.Random,
        listeners: Listeners,
        body: Callable[[AgentSession], HostAssignmentStatus],
    ) -> None:
        self._api = api.lane("status")
        self._journal = journal
        self._host = host
        self._machine_uuid = machine_uuid
        self._rng = rng
        self._listeners = listeners
        self._body = body
        self._informer: Informer[Stored] = Informer(
            api.lane("watch"),
            replace(ASSIGNMENTS, read=partial(_read, read=LastOrders())),
            rng=rng,
            name=host,
            backoff=RetryPause(0.1, 2.0),
        )
        self._stored: HostAssignment | None = None
        self._told: HostAssignment | None = None
        """As the watch told last."""
        self._said_in: int | None = None
        """The version in which what we have sent last was written, by the answer to that; None: it was not, or nobody knows."""
        self._uid: str | None = ""
        """Of the object that was received last."""
        self._dirty = asyncio.Event()
        self._failures = 0
        self._odd = ""
        """What of the orders is not understood."""
        self._refused = ""
        """Why the last status that was refused as a whole was."""
        self.trouble = ""
        self._written = asyncio.Event()
        self.stored_status = HostAssignmentStatus()
        """The last status that is stored for certain."""

    def mark_dirty(self) -> None:
        """Something has changed that the status shows."""
        self._dirty.set()

    async def watch(self) -> None:
        await self._informer.run(self._on_event)

    async def report(self) -> None:
        """Keep the status true until cancelled. What changes while a write is under way goes with the next one."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                self.trouble = await self._bring_up_to_date()
                self._failures = 0
            except Conflict:
                self._stored = None
                self._dirty.set()
            except (ApiError, DiskTrouble) as error:
                await self._later(error)

    async def _later(self, error: Exception) -> None:
        self._stored = None  # the write may yet have been carried out
        self._failures += 1
        before, self.trouble = self.trouble, explained(error, self._host) if isinstance(error, ApiError) else str(error)
        if self._failures == 1 or (isinstance(error, Unauthorized | Forbidden) and self.trouble != before):
            log.warning("status not written", extra={"host": self._host, "why": self.trouble})
        await asyncio.sleep(BACKOFF.wait_s(self._failures, self._rng))
        self._dirty.set()

    def _on_event(self, event: Event[Stored]) -> None:
        if event.type is EventType.DELETED:
            return  # absence is no information
        if isinstance(event.object, UnreadableAssignment):
            self.trouble = event.object.why
            log.error("assignment unreadable", extra={"host": self._host, "why": event.object.why})
            return
        self._learn(event.object)
        if self._uid not in ("", event.object.metadata.uid):
            self._listeners.on_another()
        self._uid = event.object.metadata.uid
        self._told = event.object
        self._tell_what_was_read()
        if isinstance(event.object, Received):
            self._receive(event.object)
        if event.object.status != self.stored_status:
            self._dirty.set()  # another object, somebody else's word, or a write of ours that was given up and came late

    def _tell_what_was_read(self) -> None:
        """The watch may come before the answer to the write, or after it."""
        if self._told and self._said_in is not None and _version(self._told) >= self._said_in:
            self._listeners.held.read(self._told)

    def _receive(self, received: Received) -> None:
        if received.why and received.why != self._odd:
            log.error("orders not understood", extra={"host": self._host, "why": received.why})
        self._odd = received.why
        if received.orders is not None:
            self._listeners.on_orders(received.orders)

    def _is_ours(self, session: AgentSession) -> bool:
        return self._journal.has_session and session.nonce == self._journal.checkpoint.nonce

    def _learn(self, stored: HostAssignment) -> None:
        """Take what is newer: our own writes come back through the watch, later."""
        if self._stored is None or _version(stored) > _version(self._stored):
            self._stored = stored

    async def _bring_up_to_date(self) -> str:
        """What still stands in the way, in a sentence; empty if the status is true now."""
        if not self._journal.has_session:
            return ""
        stored = self._stored or await self._fetch()
        if isinstance(stored, UnreadableAssignment):
            return stored.why
        ordered = [order.session for order in stored.spec.instances.values()]
        match to_publish(self._journal.checkpoint, stored.status.session, ordered, machine_uuid=self._machine_uuid):
            case Publish(session):
                return await self._put(stored, session)
            case Overtaken(why):
                self._listeners.on_overtaken(why)
            case WrongMachine(why):
                log.error(
                    "this machine is not the one that the Host object names", extra={"host": self._host, "why": why}
                )
                return why
        return ""

    async def _put(self, stored: HostAssignment, session: AgentSession) -> str:
        said, refused = within_bounds(self._body(session)), ""
        try:
            await self._write_status(stored, said)
        except ApiError as error:
            if not _is_refused(error, replace(stored, status=said)):
                raise
            refused = str(error)
            await self._write_less(stored, said, refused)
        await self._published(session)
        return refused

    async def _write_status(self, stored: HostAssignment, status: HostAssignmentStatus) -> None:
        self._listeners.held.says(status)
        if status != stored.status:
            self._said_in = None
            written = await self._api.replace(ASSIGNMENTS, replace(stored, status=status), subresource="status")
            if isinstance(written, UnreadableAssignment):
                raise OutcomeUnknown(f"the status may or may not be written: {written.why}")
            self._learn(written)
            self._said_in = _version(written)
            self._tell_what_was_read()
        self.stored_status = status
        self._written.set()

    async def until_stored(self, what: Callable[[HostAssignmentStatus], bool]) -> None:
        """Wait until a status for which this is true is stored for certain."""
        while not what(self.stored_status):
            self._written.clear()
            await self._written.wait()

    async def _write_less(self, stored: HostAssignment, whole: HostAssignmentStatus, refused: str) -> None:
        """One field that the server does not take must not silence the host: others wait for what it has released."""
        if refused != self._refused:
            log.error(
                "the API server refused our status, writing less of it", extra={"host": self._host, "why": refused}
            )
        self._refused = refused
        asyncio.get_running_loop().call_later(REFUSED_AGAIN_S, self.mark_dirty)
        brief, bare = ever_shorter(whole, refused)
        try:
            await self._write_status(stored, brief)
        except ApiError as error:
            if not _is_refused(error, replace(stored, status=brief)):
                raise
            await self._write_status(stored, bare)

    async def _published(self, session: AgentSession) -> None:
        if self._is_ours(session) and self._journal.checkpoint.seq != session.seq:
            # Ours may have ended meanwhile: then this was the last word of the one before.
            checkpoint = await self._journal.change(
                lambda checkpoint: (
                    checkpoint.published(session.seq) if checkpoint.nonce == session.nonce else checkpoint
                )
            )
            if checkpoint.nonce == session.nonce:
                self._listeners.on_published()

    async def _fetch(self) -> Stored:
        """As it is read, or as the watch has told since: an answer from the past may be of an object that is gone."""
        found = await self._api.get(ASSIGNMENTS, self._host)
        told = self._informer.entries.get(("", self._host))
        for one in (found, told.object if told else None):
            if isinstance(one, HostAssignment):
                self._learn(one)
        return found if isinstance(found, UnreadableAssignment) or self._stored is None else self._stored


def _is_refused(error: ApiError, sent: HostAssignment) -> bool:
    return is_too_much(error, len(json.dumps(sent.to_wire())))


def _version(stored: HostAssignment) -> int:
    return int(stored.metadata.resource_version or 0)
