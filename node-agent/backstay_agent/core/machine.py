"""The life of one instance on this host as one table: which event leads where, and what is then to be done.

Every pair of phase and event is decided exactly once: it changes something, it changes nothing, or it cannot happen. What
it stands on: half started is not stopped; only a verified stop leads to Stopped; what could not be stopped is Stuck, and asked
again for ever. Whether an instance *may* be started is another question (`rules.py`); here is only what follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Phase(Enum):
    """Where an instance stands. Whatever is neither STOPPED nor FAILED may have parts that run."""

    STOPPED = "Stopped"
    STARTING = "Starting"
    RUNNING = "Running"
    RECOVERING = "Recovering"
    STOPPING = "Stopping"
    FAILED = "Failed"
    """Verifiably stopped after failures; not tried again in this epoch unless its resources are edited."""
    STUCK = "Stuck"
    """It could not be proven to be down."""


class Event(Enum):
    """What can happen to an instance."""

    WANT_UP = "want up"
    WANT_DOWN = "want down"
    EDITED = "edited"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DIED = "died"
    GIVE_UP = "give up"
    RETRY = "retry"


class Effect(Enum):
    """What the runner has to do next."""

    START = "start"
    """Every resource, top to bottom."""
    RESTART = "restart"
    """What is down and what stands on it, in place."""
    STOP = "stop"
    """Every resource, bottom to top, verified."""
    WATCH = "watch"
    """Look at every resource once, then listen."""
    CLOSE = "close"
    """Record that this epoch is over here for ever, then say so."""


_P, _E, _F = Phase, Event, Effect

TRANSITIONS: Final[Mapping[tuple[Phase, Event], tuple[Phase, Effect | None]]] = {
    (_P.STOPPED, _E.WANT_UP): (_P.STARTING, _F.START),
    (_P.STOPPED, _E.WANT_DOWN): (_P.STOPPED, _F.CLOSE),
    (_P.STOPPED, _E.GIVE_UP): (_P.FAILED, None),
    (_P.STARTING, _E.SUCCEEDED): (_P.RUNNING, _F.WATCH),
    (_P.STARTING, _E.FAILED): (_P.STOPPING, _F.STOP),  # half started is not stopped
    (_P.STARTING, _E.WANT_DOWN): (_P.STOPPING, _F.STOP),
    (_P.STARTING, _E.EDITED): (_P.STOPPING, _F.STOP),
    (_P.RUNNING, _E.DIED): (_P.RECOVERING, _F.RESTART),
    (_P.RUNNING, _E.GIVE_UP): (_P.STOPPING, _F.STOP),
    (_P.RUNNING, _E.WANT_DOWN): (_P.STOPPING, _F.STOP),
    (_P.RUNNING, _E.EDITED): (_P.STOPPING, _F.STOP),
    (_P.RECOVERING, _E.SUCCEEDED): (_P.RUNNING, _F.WATCH),
    (_P.RECOVERING, _E.FAILED): (_P.STOPPING, _F.STOP),
    (_P.RECOVERING, _E.WANT_DOWN): (_P.STOPPING, _F.STOP),
    (_P.RECOVERING, _E.EDITED): (_P.STOPPING, _F.STOP),
    (_P.STOPPING, _E.SUCCEEDED): (_P.STOPPED, None),
    (_P.STOPPING, _E.FAILED): (_P.STUCK, None),
    (_P.STUCK, _E.RETRY): (_P.STOPPING, _F.STOP),
    (_P.FAILED, _E.WANT_DOWN): (_P.STOPPED, _F.CLOSE),
    (_P.FAILED, _E.EDITED): (_P.STOPPED, None),
}

# It happens, and nothing follows: what is wanted is under way already, or comes up again when that has ended.
NO_CHANGE: Final[frozenset[tuple[Phase, Event]]] = frozenset(
    {
        (_P.STOPPED, _E.EDITED),
        (_P.STARTING, _E.WANT_UP),
        (_P.RUNNING, _E.WANT_UP),
        (_P.RECOVERING, _E.WANT_UP),
        (_P.RECOVERING, _E.DIED),
        (_P.STOPPING, _E.WANT_UP),
        (_P.STOPPING, _E.WANT_DOWN),
        (_P.STOPPING, _E.EDITED),
        (_P.STOPPING, _E.DIED),
        (_P.STUCK, _E.WANT_UP),
        (_P.STUCK, _E.WANT_DOWN),
        (_P.STUCK, _E.EDITED),
        (_P.STUCK, _E.DIED),
        (_P.FAILED, _E.WANT_UP),
    }
)

# No effect is under way, nothing is watched, or nothing can be given up there.
IMPOSSIBLE: Final[frozenset[tuple[Phase, Event]]] = frozenset(
    {
        *((phase, _E.SUCCEEDED) for phase in (_P.STOPPED, _P.RUNNING, _P.FAILED, _P.STUCK)),
        *((phase, _E.FAILED) for phase in (_P.STOPPED, _P.RUNNING, _P.FAILED, _P.STUCK)),
        *((phase, _E.DIED) for phase in (_P.STOPPED, _P.STARTING, _P.FAILED)),
        *((phase, _E.GIVE_UP) for phase in (_P.STARTING, _P.RECOVERING, _P.STOPPING, _P.STUCK, _P.FAILED)),
        *((phase, _E.RETRY) for phase in Phase if phase is not _P.STUCK),
    }
)


def step(phase: Phase, event: Event) -> tuple[Phase, Effect | None]:
    """Where this event leads, and what is to be done. An impossible pair is a broken program and ends the process."""
    pair = (phase, event)
    if pair in NO_CHANGE:
        return phase, None
    assert pair in TRANSITIONS, f"an instance that is {phase.value} cannot meet {event.value!r}"
    return TRANSITIONS[pair]


def may_run(phase: Phase) -> bool:
    """Whether parts of the instance may be running in this phase."""
    return phase not in (Phase.STOPPED, Phase.FAILED)
