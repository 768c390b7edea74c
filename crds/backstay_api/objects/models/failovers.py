"""The record of one failover in a service's status: its timeline, and what was said of each host. Written by the operator."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Model, Text, Timestamp


class FailoverStep(Model):
    """One point of a failover's timeline."""

    phase: Literal["Fault", "Asked", "Suspected", "Sealed", "Proven", "Granted", "Started", "Answered", "GivenUp"]
    """Fault: the last that was well (Asked: somebody wanted the move). Suspected: its host is late. Sealed: that can never renew again.
    Proven: the epoch is over. Granted: another host may run it. Started, and answered its probes, there. GivenUp: it went no further."""
    at: Timestamp
    """When, as the operator saw it, on its own clock."""
    why: Text = ""
    """In a sentence."""


class HostVerdict(Model):
    """What was said of one host when it was decided where the service goes."""

    host: Text
    """Which."""
    verdict: Literal["Chosen", "Possible", "No"]
    """Whether it could have had it."""
    rule: Text = ""
    """With No: by which rule, as `backstay explain SERVICE` names it."""
    why: Text = ""
    """In a sentence."""


class FailoverRecord(Model):
    """How one epoch of an instance ended, and how the next began."""

    slot: Text = ""
    """Of which instance: the name of its HAInstance."""
    epoch: Annotated[int, Field(ge=0)]
    """The epoch that ended."""
    from_: Annotated[Text, Field(alias="from")]
    """The host before."""
    to: Text = ""
    """The host after; empty while there is none. The same as before, where that has come back first."""
    cause: Literal["HostLost", "Failed", "Shutdown", "Asked", "Unknown"]
    """HostLost: its host is silent, sealed or has begun anew. Failed: it could not be kept running, or stopped, there. Shutdown: its host
    went down in order. Asked: a person or a rule wanted it elsewhere. Unknown: no operator saw it."""
    evidence: Text = ""
    """What proved that the epoch was over: Released, Boot, Device, Manual, NotExclusive."""
    reason: Text = ""
    """Why it was granted to that host."""
    steps: Annotated[list[FailoverStep], Field(max_length=8)] = []
    """The timeline, oldest first."""
    verdicts: Annotated[list[HostVerdict], Field(max_length=8)] = []
    """What was said of each host when that was decided, the best first; no more than eight."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return bool(self.steps) and self.steps[-1].phase in ("Answered", "GivenUp")

    def step(self, phase: str) -> FailoverStep | None:
        """One point of it, if it has come so far."""
        return next((one for one in self.steps if one.phase == phase), None)
