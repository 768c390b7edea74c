"""What an agent must remember across its own restarts: its session, and what it was granted and may be running.

The agent keeps this in `/run/backstay/journal` and write it *before* every effect, so whatever an agent that dies at any point
has begun, its successor knows. Times are the event loop's (CLOCK_MONOTONIC: one clock for one boot).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from backstay_api.objects.edits import same_work
from backstay_api.objects.names import key_of
from backstay_api.objects.ocf_roles import has_roles
from backstay_api.objects.plain import RenderedRecovery, RenderedResource, SessionRef
from backstay_api.objects.recovery import ErrorType, Policy, policy_of, worst

from . import patience

FORMAT: Final = 1
ROLES_FORMAT: Final = 2
"""With roles, which an agent of an earlier release would read past: it is not to trust such a checkpoint, and to stop what runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known here about one instance: the newest grant, and what of it may be running."""

    uid: str
    """Of the HAInstance."""
    namespace: str
    name: str
    service: str = ""
    """Of which it is a slot."""
    role: str = ""
    """Promoted: it stands on the copy of the same service that runs here."""
    epoch: int
    nonce: str
    """Of the session that the epoch was granted to. Not the present one: a non-exclusive copy carried over."""
    want: Literal["Up", "Down"]
    exclusive: bool
    revision: int = 0
    """Of `wanted`."""
    wanted: tuple[RenderedResource, ...] = ()
    """What the last order says."""
    recovery: RenderedRecovery | None = None
    """The same."""
    hands_off: str = ""
    """The same: why nothing of it is touched."""
    expects: bool = False
    """The grant says what its host was chosen by: before the first start it is looked whether that is still so, by the order alone."""
    resources: tuple[RenderedResource, ...] = ()
    """What was last started (or tried): this is what must be stopped."""
    running_revision: int = 0
    """Of `resources`."""
    may_run: bool = False
    """Something of `resources` may be running: set before the first start, taken back after the verified stop."""
    closed: bool = False
    """The epoch is over here for ever."""
    gave_up: str = ""
    """Why it is not tried again in this epoch."""
    error_type: ErrorType = "Soft"
    """Whether a try anywhere else, or a later one here, might do better than the one that was given up."""
    restarts: int = 0
    """Restarts in place in this epoch."""
    restarted_at_s: tuple[float, ...] = ()
    """Those of them that still counted at the last."""
    cleared: int = 0
    """The last clear that was obeyed."""
    begun_at_s: float = 0.0
    """When the last start or restart of something of it began."""

    @property
    def title(self) -> str:
        return key_of(self.namespace, self.name)

    @property
    def policy(self) -> Policy:
        """How often it is restarted in place."""
        return policy_of(self.recovery)

    @property
    def to_stop(self) -> tuple[RenderedResource, ...]:
        """What is to be stopped, as the last order has it if that is what was started: a `stop` that somebody has mended is used."""
        return self.wanted if same_work(self.resources, self.wanted) else self.resources

    def over(self) -> Record:
        """The epoch is over here for ever; only that is still worth remembering."""
        assert not self.may_run, f"{self.title}: epoch {self.epoch} cannot be over while it may run"
        return replace(self, closed=True, want="Down", wanted=(), resources=(), restarted_at_s=())

    def begun(self, resources: tuple[RenderedResource, ...], revision: int, at_s: float) -> Record:
        """These may run from now on."""
        return replace(self, may_run=True, resources=resources, running_revision=revision, begun_at_s=at_s).trusted()

    def trusted(self) -> Record:
        """It is worth a try again."""
        return replace(self, gave_up="", error_type="Soft")

    def restarted(self, at_s: float | None) -> Record:
        """One restart in place more; None: it does not count."""
        if at_s is None:
            return self
        kept = patience.recent((*self.restarted_at_s, at_s), now_s=at_s, by=self.policy)
        return replace(self, restarts=self.restarts + 1, restarted_at_s=tuple(kept))

    def forgiven(self, cleared: int) -> Record:
        """A person has said that its failures so far count for nothing, if this is news."""
        return self if cleared <= self.cleared else replace(self, cleared=cleared, restarted_at_s=()).trusted()

    def changed(self, names: Collection[str], wanted: tuple[RenderedResource, ...], revision: int) -> Record:
        """Of what an edit restarts, these names, nothing runs any more, and what is wanted may from now on.

        The rest stays as it was: what needs no restart has still to reach it, and only then its revision is what runs.
        """
        before = {one.name: one for one in self.resources}
        mixed = tuple(one if one.name in names else replace(before[one.name], after=one.after) for one in wanted)
        runs = revision if mixed == wanted else self.running_revision
        return replace(self, resources=mixed, running_revision=runs).trusted()

    @property
    def told_revision(self) -> int:
        """What hosts and people are told to have reached what runs: the operator gives claims back by it."""
        return self.running_revision if self.may_run else self.revision

    def accepted(self) -> Record:
        """What it wants is what runs."""
        return replace(self, resources=self.wanted, running_revision=self.revision)

    def to_wire(self) -> dict[str, Any]:
        wire = {name: getattr(self, name) for name in _PLAIN}
        wire["wanted"] = [resource.to_wire() for resource in self.wanted]
        wire["recovery"] = self.recovery.to_wire() if self.recovery else None
        wire["resources"] = [resource.to_wire() for resource in self.resources]
        wire["restarted_at_s"] = list(self.restarted_at_s)
        later = ("service", "role", "begun_at_s", "cleared", "hands_off", "error_type", "expects")
        return wire | {name: getattr(self, name) for name in later}

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Record:
        """Read a record. Raises KeyError, TypeError or ValueError where it is none."""
        return cls(
            **{name: _typed(raw, name, kind) for name, kind in _PLAIN.items()},
            wanted=tuple(RenderedResource.from_wire(item) for item in raw["wanted"]),
            recovery=RenderedRecovery.from_wire(raw["recovery"]) if raw.get("recovery") else None,
            resources=tuple(RenderedResource.from_wire(item) for item in raw["resources"]),
            restarted_at_s=tuple(float(at_s) for at_s in raw["restarted_at_s"]),
            service=str(raw.get("service", "")),
            role=str(raw.get("role", "")),
            begun_at_s=float(raw.get("begun_at_s", 0.0)),
            cleared=int(raw.get("cleared", 0)),
            hands_off=str(raw.get("hands_off", "")),
            expects=bool(raw.get("expects", False)),
            error_type=worst((raw.get("error_type", "Soft"),)),
        )


_PLAIN: Final[Mapping[str, type]] = {
    **dict.fromkeys(("uid", "namespace", "name", "nonce", "want", "gave_up"), str),
    **dict.fromkeys(("epoch", "revision", "running_revision", "restarts"), int),
    **dict.fromkeys(("exclusive", "may_run", "closed"), bool),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One session of this host and everything it was granted."""

    boot_id: str
    nonce: str
    seq: int = 0
    """As published; 0: not published as far as we know, so nothing can have been granted to it."""
    seal_seen: str = ""
    """Why this session may never start anything again."""
    earlier: tuple[str, ...] = ()
    """Nonces of the sessions of this boot before this one, the newest last: nothing exclusive of them runs any more."""
    earlier_seq: int = 0
    """The highest seq that one of them was published with, as far as we know."""
    hands_off: str = ""
    """Maintenance mode HandsOff, as last received: watch, and touch nothing."""
    records: Mapping[str, Record]
    """By UID of the HAInstance, in the order in which they were granted first."""

    @property
    def session(self) -> SessionRef:
        return SessionRef(boot_id=self.boot_id, nonce=self.nonce, seq=self.seq)

    def put(self, *records: Record) -> Checkpoint:
        return replace(self, records={**self.records, **{record.uid: record for record in records}})

    def sealed(self, why: str) -> Checkpoint:
        return replace(self, seal_seen=self.seal_seen or why)

    def published(self, seq: int) -> Checkpoint:
        return replace(self, seq=seq)

    def handed_off(self, why: str) -> Checkpoint:
        return replace(self, hands_off=why)

    @property
    def nonces(self) -> tuple[str, ...]:
        """Of all sessions of this boot, this one last."""
        return (*self.earlier, self.nonce)

    @property
    def highest_seq(self) -> int:
        """Of all sessions of this boot, as far as we know."""
        return max(self.earlier_seq, self.seq)

    def next_session(self, nonce: str) -> Checkpoint:
        """A new session in this boot. Nothing exclusive runs any more; what is not exclusive is carried over.

        All epochs of the session before are closed by this one write: orders for it are no longer ours.
        """
        exclusive = [record.title for record in self.records.values() if record.exclusive and record.may_run]
        assert not exclusive, f"a new session while {', '.join(exclusive)} may still run"
        carried = {uid: record for uid, record in self.records.items() if record.may_run}
        return Checkpoint(
            boot_id=self.boot_id,
            nonce=nonce,
            earlier=self.nonces,
            earlier_seq=self.highest_seq,
            hands_off=self.hands_off,
            records=carried,
        )

    @property
    def format(self) -> int:
        """In which they are written."""
        return ROLES_FORMAT if any(map(_has_role, self.records.values())) else FORMAT

    def to_wire(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "bootID": self.boot_id,
            "nonce": self.nonce,
            "seq": self.seq,
            "sealSeen": self.seal_seen,
            "earlier": list(self.earlier),
            "earlierSeq": self.earlier_seq,
            "handsOff": self.hands_off,
            "records": [record.to_wire() for record in self.records.values()],
        }

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Checkpoint:
        """Read the checkpoint. Raises KeyError, TypeError or ValueError where it is not to be trusted."""
        if raw["format"] not in (FORMAT, ROLES_FORMAT):
            raise ValueError(f"format {raw['format']!r} is not one that this agent writes ({FORMAT}, {ROLES_FORMAT})")
        records = [Record.from_wire(item) for item in raw["records"]]
        return cls(
            boot_id=_typed(raw, "bootID", str),
            nonce=_typed(raw, "nonce", str),
            seq=_typed(raw, "seq", int),
            seal_seen=_typed(raw, "sealSeen", str),
            # What the first release did not write.
            earlier=tuple(str(nonce) for nonce in raw.get("earlier", ())),
            earlier_seq=int(raw.get("earlierSeq", 0)),
            hands_off=str(raw.get("handsOff", "")),
            records={record.uid: record for record in records},
        )


def only_ends(before: Checkpoint, after: Checkpoint) -> bool:
    """Nothing is granted, may run or is to be run that was not before: what is new is only that something has ended.

    That must be recorded though the disk is full: until it is, nobody else may start it.
    """
    return all(_only_ends(before.records.get(uid), record) for uid, record in after.records.items())


def _only_ends(before: Record | None, after: Record) -> bool:
    if before is None or after.epoch != before.epoch:
        return False
    return (
        after.may_run <= before.may_run
        and before.closed <= after.closed
        and after.wanted in (before.wanted, ())
        and after.resources in (before.resources, ())
    )


def _typed(raw: Mapping[str, Any], name: str, kind: type) -> Any:
    value = raw[name]
    if type(value) is not kind:
        raise TypeError(f"{name} is {value!r}, not {kind.__name__}")
    return value


def _has_role(record: Record) -> bool:
    return bool(record.role) or any(map(has_roles, (*record.wanted, *record.resources)))
