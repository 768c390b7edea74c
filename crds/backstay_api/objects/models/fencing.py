"""FenceRequest: one session of one host that must be shown to be over."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Column, Model, Object, Rule, Text, Timestamp
from .instance import SessionRef


class Confirm(Model):
    """A person of backstay:fence-confirmers says: I have seen that this machine is powered off."""

    by: Annotated[str, Field(min_length=1, max_length=512)]
    """Who: the name that the API server knows them by."""
    at: Timestamp
    """When."""
    reason: Text = ""
    """What they saw."""


class FenceRequestSpec(Model):
    """Written by the operator; `confirm` by a person of backstay:fence-confirmers."""

    rules = (
        Rule(
            "self.host == oldSelf.host && self.session == oldSelf.session",
            "a request is for one session for ever",
            lambda old, new: new.host == old.host and new.session == old.session,
        ),
        Rule(
            "!has(oldSelf.confirm) || (has(self.confirm) && self.confirm == oldSelf.confirm)",
            "a confirmation is never taken back",
            lambda old, new: old.confirm is None or new.confirm == old.confirm,
        ),
    )
    host: Text
    """The host."""
    session: SessionRef
    """The session."""
    machine_uuid: Annotated[Text, Field(alias="machineUUID")] = ""
    """The machine that the session runs on; compared with what the device says."""
    want: Literal["Observe", "Off", "Withdrawn"]
    """Observe: status reads only. Off: power it off, verified. Withdrawn: false alarm."""
    after: Literal["On", "StayOff"] = "On"
    """Whether the fencer powers it on again once the evidence is stored."""
    why: Text = ""
    """Why it is suspected, in a sentence."""
    confirm: Confirm | None = None
    """A person's confirmation, in place of a device's reads."""


class PowerRead(Model):
    """One status read of one device."""

    level: Text
    """Name of the level."""
    device: Text
    """Name of the device."""
    power: Literal["On", "Off", "Unknown"]
    """Off only if the agent exited with 2 and printed `Status: OFF`."""
    sealed: bool = False
    """Begun when the Lease was sealed or no longer this session's."""
    number: Annotated[int, Field(ge=1)] = 1
    """Counts the reads of this request."""
    message: Text = ""
    """What the agent said, where it was not plainly On or Off."""


class Attempt(Model):
    """One `off` or `on` sent to one device."""

    level: Text
    """Name of the level."""
    device: Text
    """Name of the device."""
    action: Literal["off", "on"]
    """What was asked for."""
    at: Timestamp
    """When."""
    by: Text = ""
    """The fencer process that sent it: of several that run side by side, each tells of its own."""
    ours: bool = True
    """The device was asked, so far as we know, and no read has shown since that it did nothing: what it switched off, we switch on again."""
    result: Text = ""
    """How the agent's process ended; proves nothing."""


class FenceEvidence(Model):
    """The device's proof that the session is over."""

    kind: Literal["Device"] = "Device"
    """Every device of one level was read off twice, the second time after the seal."""
    level: Text
    """Which level."""
    why: Text
    """The reads, in a sentence."""


class FenceRequestStatus(Model):
    """Written by the fencer."""

    rules = (
        Rule(
            "!has(oldSelf.evidence) || (has(self.evidence) && self.evidence == oldSelf.evidence)",
            "evidence is never taken back",
            lambda old, new: old.evidence is None or new.evidence == old.evidence,
        ),
    )
    power: Literal["On", "Off", "Unknown"] = "Unknown"
    """Off: every device of one level was read off, once, since this request exists."""
    reads: Annotated[list[PowerRead], Field(max_length=64)] = []
    """The latest read of each device."""
    attempts: Annotated[list[Attempt], Field(max_length=32)] = []
    """The latest attempts."""
    evidence: FenceEvidence | None = None
    """The proof."""
    powered_on: bool = False
    """The fencer has switched it on again, and has read that it is on."""
    stays_off: bool = False
    """The fencer has tried to switch it on again, and it is not read on yet: `message` says why."""
    message: Text = ""
    """What is missing and what a person can do, in a sentence."""
    missing: Text = ""
    """What the devices have not shown yet, level by level; empty once they have."""


class FenceRequest(Object):
    """A request to find out, or to bring about, that one session of one host is over."""

    plural: ClassVar[str] = "fencerequests"
    namespaced: ClassVar[bool] = False
    short_names: ClassVar[tuple[str, ...]] = ("fence",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Host", ".spec.host"),
        Column("Want", ".spec.want"),
        Column("Power", ".status.power"),
        Column("Evidence", ".status.evidence.kind"),
        Column("Message", ".status.message", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    kind: Literal["FenceRequest"] = "FenceRequest"
    spec: FenceRequestSpec
    """Which session, and what is wanted."""
    status: FenceRequestStatus = FenceRequestStatus()
    """Written by the fencer."""
