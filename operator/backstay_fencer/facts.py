"""What is known about one fence request at one instant, and what may follow from it: plain values, read by `core`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from backstay_api.objects.models.host import FenceLevel

from .reading import Power

Identity = Literal["Match", "Mismatch", "Unverified", "Unasked"]
"""Unverified: it was asked, and cannot tell. Unasked: not in this life of the fencer."""
Slot = tuple[str, str]
"""Level and device, by name."""


@dataclass(frozen=True)
class Read:
    """One status read of one device, made for one request."""

    power: Power
    begun_s: float
    ended_s: float
    after_seal: bool
    """Begun when the session's Lease was already sealed, or a newer session's."""
    message: str = ""
    off_since_s: float = float("inf")
    """Of a read that says off: the end of the first of those, without another answer between, that say so. Else never."""


@dataclass(frozen=True)
class Tried:
    """One `off` or `on` sent to one device for this request."""

    slot: Slot
    action: Literal["off", "on"]
    begun_s: float
    ended_s: float | None
    """None while it runs."""
    ours: bool = True
    """It was sent, and no read has shown since that it did nothing. What was only decided has switched nothing."""
    unsent: bool = False
    """It ended without having been sent."""
    failed: str = ""
    """How an `on` failed, in the agent's words."""
    known_s: float = float("-inf")
    """Since when we know of it, if an earlier life of the fencer has sent it: perhaps in the moment before."""


@dataclass(frozen=True)
class RequestFacts:
    """Everything known about one request at one instant."""

    want: Literal["Observe", "Off", "Withdrawn"]
    after: Literal["On", "StayOff"]
    over: bool
    """The session's Lease is sealed, or a newer session's."""
    proven: bool
    """The evidence is stored in the request."""
    powered_on: bool
    levels: tuple[FenceLevel, ...]
    identity: Mapping[Slot, Identity]
    reads: Mapping[Slot, tuple[Read, ...]]
    """By device, oldest first; the last two are enough."""
    tried: tuple[Tried, ...]
    reading: frozenset[Slot]
    """Devices with a read under way."""
    now_s: float
    begun_s: float = float("inf")
    """Since when this request is looked after."""
    not_known: str = ""
    """Why nothing can be said yet of whose power its devices switch."""
    shared_with: str = ""
    """Another host whose agent names the same machine UUID: then no device's answer says which of the two it powers."""
    asked_s: float = float("-inf")
    """When the API server was last asked, and has answered, which machine each agent has named: whoever had by then is known."""
    asking: bool = False


@dataclass(frozen=True)
class Step:
    """Run one fence agent once."""

    slot: Slot
    action: Literal["status", "off", "on"]


@dataclass(frozen=True)
class Next:
    """What to run now, and when to look again if nothing happens."""

    steps: tuple[Step, ...]
    wake_at_s: float | None
    ask: bool = False
    """Ask which machine each agent has named."""
