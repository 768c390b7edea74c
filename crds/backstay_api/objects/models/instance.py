"""HAInstance: one slot of a service. Its resourceVersion is the lock that no two grants can pass."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from backstay_api.objects.names import key_of, promoted_name

from .base import Column, Model, Object, Rule, Text, Timestamp

Epoch = Annotated[int, Field(ge=0)]
BootID = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Nonce = Annotated[str, StringConstraints(min_length=1, max_length=64)]
EvidenceKind = Literal["Released", "Boot", "Device", "Lease", "Manual", "NotExclusive"]


class SessionRef(Model):
    """One boot of one host: what a grant is bound to."""

    boot_id: Annotated[BootID, Field(alias="bootID")]
    """From /proc/sys/kernel/random/boot_id."""
    nonce: Nonce
    """Made by the agent once per session."""
    seq: Annotated[int, Field(ge=1)]
    """Counts the sessions of the host; only grows."""

    @property
    def text(self) -> str:
        """σ as the Lease's holderIdentity carries it."""
        return f"{self.boot_id}/{self.nonce}"


class ServiceRef(Model):
    """The HAService an instance belongs to."""

    name: Text
    """Its name, in the same namespace."""
    uid: Text
    """Its UID: a service recreated under the same name is another one."""


class Grant(Model):
    """Permission for exactly one session to run this instance."""

    host: Text
    """The holder."""
    session: SessionRef
    """The holder's session."""
    machine_uuid: Annotated[Text, Field(alias="machineUUID")]
    """The holder's machine, as it said when the grant was made: Boot evidence must come from the same machine."""


class Closed(Model):
    """Why an epoch is known to be over."""

    epoch: Epoch
    """Which epoch."""
    evidence: EvidenceKind
    """What proves it. NotExclusive: nothing has to be proven, two copies of this service do no harm."""
    why: Text = ""
    """The proof, in a sentence."""


class Required(Model):
    """One HAInstance that worked when this one was started, of a service that it requires."""

    service: Text
    """Name of the HAService, in the same namespace."""
    uid: Text
    """UID of its HAInstance."""
    epoch: Epoch
    """The epoch in which that worked."""


class VerdictOnHosts(Model):
    """What was said alike of some hosts when it was decided where an epoch goes."""

    hosts: Annotated[list[Text], Field(max_length=32)]
    """Which, the best first; of more than 32 the first."""
    more: Annotated[int, Field(ge=0)] = 0
    """How many more."""
    verdict: Literal["Chosen", "Possible", "No"]
    """Whether they could have had it."""
    rule: Text = ""
    """With No: by which rule, as `backstay explain SERVICE` names it."""
    why: Text = ""
    """In a sentence."""


class GrantRecord(Model):
    """One grant, and what was said of each host when it was decided."""

    epoch: Epoch
    """Which epoch it began."""
    host: Text
    """To whom it went."""
    at: Timestamp
    """When it was decided, on the operator's clock."""
    why: Text = ""
    """Why to that host, and before that how the epoch before had ended."""
    verdicts: Annotated[list[VerdictOnHosts], Field(max_length=8)] = []
    """What was said of each host, the best first."""


_EPOCH_STEP = Rule(
    "self.epoch == oldSelf.epoch || self.epoch == oldSelf.epoch + 1",
    "epoch grows by one at a time",
    lambda old, new: new.epoch in (old.epoch, old.epoch + 1),
)
_EVIDENCE = Rule(
    "self.epoch == oldSelf.epoch || oldSelf.epoch == 0 || (has(self.closed) && self.closed.epoch == oldSelf.epoch)",
    "a new epoch needs the evidence that closed the one before",
    lambda old, new: (
        new.epoch == old.epoch or old.epoch == 0 or (new.closed is not None and new.closed.epoch == old.epoch)
    ),
)
_GRANTED = Rule(
    "self.epoch == oldSelf.epoch || has(self.grant)",
    "a new epoch is a grant",
    lambda old, new: new.epoch == old.epoch or new.grant is not None,
)
_GRANT_KEPT = Rule(
    "self.epoch != oldSelf.epoch || (has(self.grant) ? has(oldSelf.grant) && self.grant == oldSelf.grant"
    " : !has(oldSelf.grant) || (has(self.closed) && self.closed.epoch == self.epoch))",
    "a grant never changes within its epoch; it only ends, with evidence",
    lambda old, new: (
        new.epoch != old.epoch
        or (
            new.grant == old.grant
            if new.grant is not None
            else old.grant is None or (new.closed is not None and new.closed.epoch == new.epoch)
        )
    ),
)
_CLOSED_KEPT = Rule(
    "!has(oldSelf.closed) || (has(self.closed) && (self.closed == oldSelf.closed || self.closed.epoch > oldSelf.closed.epoch))",
    "evidence is never taken back",
    lambda old, new: (
        old.closed is None
        or (new.closed is not None and (new.closed == old.closed or new.closed.epoch > old.closed.epoch))
    ),
)
_CLOSED_SANE = Rule(
    "!has(self.closed) || (has(self.grant) ? self.closed.epoch == self.epoch - 1 : self.closed.epoch == self.epoch)",
    "evidence closes the epoch before a grant, or the last one where there is no grant",
    lambda s: s.closed is None or s.closed.epoch == (s.epoch - 1 if s.grant is not None else s.epoch),
)
_GRANT_SANE = Rule(
    "has(self.grant) ? self.epoch >= 1 && (self.epoch == 1 || has(self.closed)) : self.epoch == 0 || has(self.closed)",
    "an epoch is granted or closed; from the second on a grant carries the evidence that closed the one before",
    lambda s: (
        s.epoch >= 1 and (s.epoch == 1 or s.closed is not None)
        if s.grant is not None
        else s.epoch == 0 or s.closed is not None
    ),
)
_EXCLUSIVE_EVIDENCE = Rule(
    "!has(self.closed) || self.closed.evidence != 'NotExclusive' || !self.exclusive",
    "an exclusive instance needs real evidence",
    lambda s: s.closed is None or s.closed.evidence != "NotExclusive" or not s.exclusive,
)
_FIXED = Rule(
    "self.service == oldSelf.service && self.exclusive == oldSelf.exclusive",
    "service and exclusive never change",
    lambda old, new: new.service == old.service and new.exclusive == old.exclusive,
)


class HAInstanceSpec(Model):
    """The grant, and what closed the one before. Written by the operator, by compare-and-swap only."""

    rules = (
        _EPOCH_STEP,
        _EVIDENCE,
        _GRANTED,
        _GRANT_KEPT,
        _CLOSED_KEPT,
        _CLOSED_SANE,
        _GRANT_SANE,
        _EXCLUSIVE_EVIDENCE,
        _FIXED,
    )
    service: ServiceRef
    """The service this is a slot of."""
    exclusive: bool
    """Two copies must never run."""
    epoch: Epoch = 0
    """Counts the grants; 0: none yet."""
    grant: Grant | None = None
    """Who may run it now; none: nobody."""
    closed: Closed | None = None
    """Why the epoch before the grant (or the last one, without a grant) is over."""
    required: Annotated[list[Required], Field(max_length=256)] | None = None
    """What it was started with, of the services that it requires (`dependsOn`): tells whether one of them has failed over since."""
    grants: Annotated[list[GrantRecord], Field(max_length=5)] | None = None
    """The last five grants, newest first: `backstay explain SERVICE --last` tells them; a promotion waits for the copy of the last host."""
    conditional: Annotated[list[Text], Field(max_length=16)] | None = None
    """Epochs closed only by Lease evidence and not yet proven gone (later)."""


class HAInstance(Object):
    """One slot of a service, which names at most one host as its holder."""

    plural: ClassVar[str] = "hainstances"
    namespaced: ClassVar[bool] = True
    short_names: ClassVar[tuple[str, ...]] = ("hai",)
    has_status: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Epoch", ".spec.epoch", "integer"),
        Column("Host", ".spec.grant.host"),
        Column("Closed", ".spec.closed.evidence"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    kind: Literal["HAInstance"] = "HAInstance"
    spec: HAInstanceSpec
    """Written by the operator."""

    @property
    def service_key(self) -> str:
        """`namespace/name` of its HAService."""
        return key_of(self.metadata.namespace, self.spec.service.name)

    @property
    def is_promoted(self) -> bool:
        """Whether it is the promoted role of its service, which stands on a copy of it."""
        return self.metadata.name == promoted_name(self.spec.service.name)

    @property
    def holder(self) -> str:
        """The host that it is granted to; empty: none."""
        return self.spec.grant.host if self.spec.grant else ""
