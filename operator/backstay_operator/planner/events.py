"""What Events people can see, a row each: `kubectl get events`, and the page of the reference that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from backstay_api.objects.kinds import Ref
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS


@dataclass(frozen=True)
class Event:
    """What people are told of an action that was done."""

    about: Ref
    type: Literal["Normal", "Warning"]
    reason: str
    note: str


@dataclass(frozen=True)
class EventKind:
    """One reason. Where a condition turns, its own reason is that of the Event."""

    type: Literal["Normal", "Warning"]
    reason: str
    of: str
    """Kind of the object that it is about."""
    says: str
    """What has happened, for the reference."""

    def __call__(self, about: Ref, note: str) -> Event:
        return Event(about, self.type, self.reason, note)


_SERVICE: Final = HA_SERVICES.kind
_HOST: Final = HOSTS.kind

GRANTED: Final = EventKind("Normal", "Granted", _SERVICE, "an epoch begins on a host, with the reason why on that one")
CLOSED: Final = EventKind("Normal", "Closed", _SERVICE, "an epoch is over, and by which evidence")
CLAIMED: Final = EventKind("Normal", "Claimed", _SERVICE, "an address, a unit or a disk is its own now")
MOVE_ENDED: Final = EventKind(
    "Normal", "MoveEnded", _SERVICE, "the move that was asked for is done, has expired, or cannot be done"
)
FAILURES_FORGOTTEN: Final = EventKind("Normal", "FailuresForgotten", _SERVICE, "a person has cleared what failed")
BY_ADMIN: Final = EventKind(
    "Normal", "ByAdmin", _SERVICE, "somebody has stopped, started or restarted it on the host itself"
)
WORKS_FULLY: Final = EventKind(
    "Normal", "WorksFully", _SERVICE, "what `Degraded` said is over: it works as a whole, answers in time, or runs once"
)
SEALED: Final = EventKind(
    "Warning", "Sealed", _HOST, "its session can never renew again, so what ran there may run elsewhere"
)
REOPENED: Final = EventKind("Normal", "Reopened", _HOST, "it has a new session, and can be used")
SUSPECTED: Final = EventKind("Warning", "Suspected", _HOST, "it is late, and its power is read")
FENCING: Final = EventKind("Warning", "Fencing", _HOST, "it is switched off")
FALSE_ALARM: Final = EventKind("Normal", "FalseAlarm", _HOST, "it was suspected, and has renewed in time")
HEALTHY: Final = EventKind("Normal", "Healthy", _HOST, "its own checks find nothing any more")
REFUSED: Final = EventKind(
    "Warning", "Refused", "any", "the API server has refused a write: which, why, and what it was for"
)

EVENTS: Final = (
    *(GRANTED, CLOSED, CLAIMED, MOVE_ENDED, FAILURES_FORGOTTEN, BY_ADMIN, WORKS_FULLY),
    *(SEALED, REOPENED, SUSPECTED, FENCING, FALSE_ALARM, HEALTHY, REFUSED),
)
TURNED: Final = (
    (_SERVICE, "Degraded", "it has turned True, or says something else: something has begun to be not as wanted"),
    (_HOST, "Ready", "it has turned False: the host is silent or sealed"),
    (_HOST, "Healthy", "it has turned False: the host's own checks find something"),
)
"""Conditions whose own reason and message are an Event, of type Warning: of which kind of object, and when."""
