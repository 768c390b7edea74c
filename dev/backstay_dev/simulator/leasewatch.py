"""What the monitor checks about seals and fences: was this host really silent, was it worth it, and does a seal stay a seal?"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_api.objects import lease as leases
from backstay_api.objects.lease import HostLease
from backstay_api.objects.promise import silent_after_s

LATELY_S: Final = 130.0
"""A fencer or operator that was frozen for a minute, with a view half a minute old, may still act on what was true then."""
_EPSILON_S: Final = 0.05
_TROUBLE_S: Final = 2.0
"""A way to the API that is away for longer is one that the operator itself must have noticed (PROTOCOL 4: less than 2 s are no trouble)."""

Span = tuple[float, float]
"""From when to when, in seconds."""


@dataclass
class Path:
    """An operator's own way to the API server: when it was whole in this life of the operator."""

    since_s: float = float("-inf")
    before: list[Span] = field(default_factory=list)
    """Earlier times in which it was."""

    def was_away(self, from_s: float, until_s: float) -> None:
        """What was taken for whole in that time was not: outages overlap, and each is told at its end."""
        if until_s - from_s <= _TROUBLE_S:
            return
        spans = [(since_s, min(end_s, from_s)) for since_s, end_s in (*self.before, (self.since_s, from_s))]
        self.before = [span for span in spans if span[0] < span[1]][-8:]
        self.since_s = until_s

    def whole(self, now_s: float) -> tuple[Span, ...]:
        return (*self.before, (self.since_s, now_s))


@dataclass
class LeaseWatch:
    """Judges every write of a host's Lease."""

    accuse: Callable[[str], None]
    sealed: dict[str, float] = field(default_factory=dict)
    """By session: when it was sealed."""
    renewed_s: dict[str, float] = field(default_factory=dict)
    """By host: when the last renewal was committed."""
    held_s: dict[str, float] = field(default_factory=dict)
    """By session: when it was last known to hold its Lease, unsealed."""
    on_seal: Callable[[str, str, bool], None] = lambda host, session, is_plain: None
    """Told of each seal. `is_plain`: by silence alone, without a read that says off or a person's word."""
    on_seal_alive: Callable[[str, str], None] = lambda host, session: None
    """Told of each seal of a session that renews, for a stop."""
    read_off: set[tuple[str, str]] = field(default_factory=set)
    """Host and session for which a read said off, or a person confirmed."""
    paths: defaultdict[str, Path] = field(default_factory=lambda: defaultdict(Path))
    """By operator: when its own way to the API has really been whole."""
    sends: defaultdict[tuple[str, str], deque[tuple[Span, ...]]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=8))
    )
    """By operator and host: for each write of that Lease when its way had been whole, up to when it was sent."""

    def note_send(self, actor: str, host: str) -> None:
        """An operator sends a write of a Lease."""
        self.sends[actor, host].append(self.paths[actor].whole(_now_s()))

    def was_sealed_lately(self, host: str) -> bool:
        """Whether some session of this host has been sealed within a time that a slow fencer explains."""
        prefix = f"boot-{host}-"
        return any(key.startswith(prefix) and _now_s() - at_s < LATELY_S for key, at_s in self.sealed.items())

    def note_request(self, change: Change) -> None:
        spec, status = change.body["spec"], change.body.get("status") or {}
        if change.type is not EventType.DELETED and (spec.get("confirm") or status.get("power") == "Off"):
            self.read_off.add((spec["host"], _text(spec["session"])))

    def observe(self, change: Change, held_exclusively_s: Callable[[str], float]) -> None:
        """One write of a Lease. `held_exclusively_s`: when a session last held something exclusive."""
        if change.key[0] != leases.NAMESPACE or change.type is EventType.DELETED:
            return
        old = leases.read(change.before) if change.before else leases.new(change.key[1])
        new = leases.read(change.body)
        self._seal_stays(old, new)
        for lease in (old, new):
            if lease.holder and not lease.sealed:
                self.held_s[lease.holder] = _now_s()
        if new.sealed and change.before is None:
            self.sealed[new.holder] = _now_s()  # made again as it was: nobody was taken for silent
        elif new.sealed_alive and not old.sealed:
            self.on_seal_alive(old.host, new.holder)
            self.sealed[new.holder] = _now_s()
        elif new.sealed and not old.sealed:
            # One that nobody holds may be sealed in the name of a session, so that a person's word about that one counts.
            self._seal(change.actor, replace(old, holder=new.holder), held_exclusively_s(new.holder))
            self.on_seal(old.host, new.holder, (old.host, new.holder) not in self.read_off)
            self.sealed[new.holder] = _now_s()
        elif (old.holder, old.renewal) != (new.holder, new.renewal):
            self.renewed_s[new.host] = _now_s()

    def _seal_stays(self, old: HostLease, new: HostLease) -> None:
        if new.holder in self.sealed and not new.sealed:
            self.accuse(f"the seal of {new.host}'s session {new.holder} is undone")
        if old.sealed and not new.sealed and new.seq <= old.seq:
            self.accuse(f"{new.host}'s Lease, sealed at seq {old.seq}, is reopened for seq {new.seq}")

    def _seal(self, actor: str, old: HostLease, held_s: float) -> None:
        now_s = _now_s()
        if (old.host, old.holder) in self.read_off:
            return
        if now_s - held_s > LATELY_S:
            self.accuse(f"{actor} seals {old.host}, which held nothing exclusive")
        limit_s = silent_after_s(old.contract) - _EPSILON_S
        renewed_s = self.renewed_s.get(old.host, float("-inf"))
        # In one piece, and not only up to the write: that nobody renewed between is what the compare-and-swap has shown.
        seen_s = [
            until_s - max(since_s, renewed_s) for sent in self.sends[actor, old.host] for since_s, until_s in sent
        ]
        if max(seen_s, default=0.0) < limit_s:
            self.accuse(
                f"{actor} seals {old.host} after {now_s - renewed_s:.1f} s of silence, of which it could see"
                f" {max(seen_s, default=0.0):.1f} s in one piece, less than {limit_s:.1f} s"
            )


def _text(session: Mapping[str, Any]) -> str:
    return f"{session['bootID']}/{session['nonce']}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
