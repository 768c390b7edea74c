"""What a session does at its turning points (PROTOCOL 3): the agent starts, publishes itself, looks at its Lease.

Three questions, each a pure function of facts. What they stand on: a new nonce only after everything of the old one is verifiably
stopped; a sealed Lease is never taken; a session that somebody has overtaken stops like a sealed one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from backstay_api.objects.lease import HostLease
from backstay_api.objects.plain import AgentSession, SessionRef

from .checkpoint import Checkpoint

SUPERSEDES_MOST: Final = 1024
"""What the schema takes; the newest are kept."""


class JournalState(Enum):
    """What is left in /run of an earlier agent."""

    INTACT = "intact"
    ABSENT = "absent"
    BROKEN = "broken"
    OTHER_BOOT = "of another boot"


class Inventory(Enum):
    """What the boot-stamped inventory in /var/lib says."""

    EMPTY = "empty"
    THIS_BOOT = "of this boot"
    OTHER_BOOT = "of another boot"
    BROKEN = "broken"


class Start(Enum):
    """What an agent does first."""

    ADOPT = "adopt what runs"
    OPEN = "open a session: nothing of ours can be running"
    STOP_ALL = "stop all that is ours, verifiably, then open a session"


# First the journal, then the inventory. Without a journal all that is recognisable as ours is looked for in any case
# (STOP_ALL): after a boot that finds nothing and costs nothing. An intact journal needs no inventory: it is newer.
AT_START: Final[Mapping[tuple[JournalState, Inventory], Start]] = {
    **{(JournalState.INTACT, inventory): Start.ADOPT for inventory in Inventory},
    **{(kept, Inventory.EMPTY): Start.OPEN for kept in (JournalState.ABSENT, JournalState.OTHER_BOOT)},
    **{(kept, Inventory.OTHER_BOOT): Start.OPEN for kept in (JournalState.ABSENT, JournalState.OTHER_BOOT)},
    **{(kept, Inventory.THIS_BOOT): Start.STOP_ALL for kept in (JournalState.ABSENT, JournalState.OTHER_BOOT)},
    **{(kept, Inventory.BROKEN): Start.STOP_ALL for kept in (JournalState.ABSENT, JournalState.OTHER_BOOT)},
    **{(JournalState.BROKEN, inventory): Start.STOP_ALL for inventory in Inventory},
}


def at_start(kept: JournalState, inventory: Inventory, *, leftovers: bool) -> Start:
    """What an agent does first; `leftovers`: something is recognisable as ours although no journal is there."""
    start = AT_START[kept, inventory]
    return Start.STOP_ALL if leftovers and start is Start.OPEN else start


@dataclass(frozen=True, slots=True)
class Publish:
    """Write this session into the status."""

    session: AgentSession


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Somebody opened a newer session of this host: ours is over. Stop, then open another."""

    why: str


@dataclass(frozen=True, slots=True)
class WrongMachine:
    """The stored session is of another machine: nothing may be written. The text says what a person can do."""

    why: str


def to_publish(
    checkpoint: Checkpoint, stored: AgentSession | None, ordered: Collection[SessionRef], *, machine_uuid: str
) -> Publish | Overtaken | WrongMachine:
    """How our session gets into the status whose present session is `stored`; none: the first one, or somebody deleted the object.

    `ordered`: the sessions that this host's orders name. They may hold grants, and nobody else may still know of them.
    """
    if stored is not None and stored.machine_uuid != machine_uuid:
        return WrongMachine(
            f"this host's name belongs to machine {stored.machine_uuid}, and this is {machine_uuid}:"
            " remove the Host and add it again for another machine"
        )
    if stored is not None and is_same(stored, checkpoint.session):
        return Publish(
            _session(checkpoint, stored.seq, machine_uuid, superseded(stored, ordered, checkpoint, stored.seq))
        )
    if stored is not None and checkpoint.seq and stored.seq >= checkpoint.seq:
        return Overtaken(f"session {stored.nonce} of seq {stored.seq} was opened beside ours, of seq {checkpoint.seq}")
    counted = max(stored.seq if stored else 0, checkpoint.earlier_seq, *(session.seq for session in ordered), 0)
    seq = checkpoint.seq or counted + 1
    return Publish(_session(checkpoint, seq, machine_uuid, superseded(stored, ordered, checkpoint, seq)))


def superseded(
    stored: AgentSession | None, ordered: Collection[SessionRef], checkpoint: Checkpoint, seq: int
) -> tuple[str, ...]:
    """Every earlier session of this boot: those that we remember, the stored list, the stored session, and those that orders name."""
    theirs = (*stored.supersedes, stored.nonce) if stored and stored.boot_id == checkpoint.boot_id else ()
    named = (session.nonce for session in ordered if session.boot_id == checkpoint.boot_id and session.seq < seq)
    known = dict.fromkeys(nonce for nonce in (*checkpoint.earlier, *theirs, *named) if nonce != checkpoint.nonce)
    return tuple(known)[-SUPERSEDES_MOST:]


def is_same(stored: AgentSession | None, mine: SessionRef) -> bool:
    """Whether the stored session is ours, whatever its seq."""
    return stored is not None and (stored.boot_id, stored.nonce) == (mine.boot_id, mine.nonce)


def _session(checkpoint: Checkpoint, seq: int, machine_uuid: str, supersedes: tuple[str, ...]) -> AgentSession:
    return AgentSession(
        boot_id=checkpoint.boot_id, nonce=checkpoint.nonce, seq=seq, machine_uuid=machine_uuid, supersedes=supersedes
    )


class Hold(Enum):
    """What to do about a Lease as it was read."""

    RENEW = "renew"
    TAKE = "take"
    WAIT = "wait until the operator reopens it"
    LOST = "stop: this session is over"


def on_lease(lease: HostLease, mine: SessionRef) -> Hold:
    """What a published session does about its Lease."""
    if lease.holder == mine.text:
        return Hold.LOST if lease.sealed else Hold.RENEW
    if lease.sealed:
        return Hold.WAIT if lease.seq < mine.seq else Hold.LOST
    return Hold.TAKE if lease.seq < mine.seq else Hold.LOST


def why_lost(lease: HostLease, mine: SessionRef) -> str:
    """In a sentence, why a session is over."""
    if lease.holder == mine.text:
        return "the operator has sealed this host's lease"
    return f"this host's lease is held by {lease.holder} of seq {lease.seq}, which is not older than ours"
