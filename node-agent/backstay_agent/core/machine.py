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
    LEFT = "Left to the admin"
    """Maintenance mode HandsOff: watched, and not touched."""


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
    MISSED = "only its address failed"
    HANDS_OFF = "hands off"
    HANDS_ON = "hands on"


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
    PERMIT = "permit"
    """Record that it may run from now on, and let the host's admin start it; then watch."""
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
    (_P.RECOVERING, _E.MISSED): (_P.RUNNING, _F.WATCH),  # what stands below an address is well, and stays up
    (_P.RECOVERING, _E.WANT_DOWN): (_P.STOPPING, _F.STOP),
    (_P.RECOVERING, _E.EDITED): (_P.STOPPING, _F.STOP),
    (_P.STOPPING, _E.SUCCEEDED): (_P.STOPPED, None),
    (_P.STOPPING, _E.FAILED): (_P.STUCK, None),
    (_P.STUCK, _E.RETRY): (_P.STOPPING, _F.STOP),
    (_P.FAILED, _E.WANT_DOWN): (_P.STOPPED, _F.CLOSE),
    (_P.FAILED, _E.EDITED): (_P.STOPPED, None),
    # What is being stopped is stopped first; from everywhere else it is left as it is.
    **{
        (phase, _E.HANDS_OFF): (_P.LEFT, _F.PERMIT)
        for phase in (_P.STOPPED, _P.STARTING, _P.RUNNING, _P.RECOVERING, _P.FAILED, _P.STUCK)
    },
    (_P.LEFT, _E.HANDS_ON): (_P.RUNNING, _F.WATCH),  # what runs is taken over, what does not is found down
    (_P.LEFT, _E.WANT_DOWN): (_P.STOPPING, _F.STOP),  # only where safety demands it
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
        (_P.STOPPING, _E.HANDS_OFF),
        *((_P.LEFT, event) for event in (_E.WANT_UP, _E.EDITED, _E.DIED, _E.HANDS_OFF)),
    }
)

# No effect is under way, nothing is watched, or nothing can be given up there.
IMPOSSIBLE: Final[frozenset[tuple[Phase, Event]]] = frozenset(
    {
        *((phase, _E.SUCCEEDED) for phase in (_P.STOPPED, _P.RUNNING, _P.FAILED, _P.STUCK, _P.LEFT)),
        *((phase, _E.FAILED) for phase in (_P.STOPPED, _P.RUNNING, _P.FAILED, _P.STUCK, _P.LEFT)),
        *((phase, _E.DIED) for phase in (_P.STOPPED, _P.STARTING, _P.FAILED)),
        *((phase, _E.GIVE_UP) for phase in Phase if phase not in (_P.STOPPED, _P.RUNNING)),
        *((phase, _E.RETRY) for phase in Phase if phase is not _P.STUCK),
        *((phase, _E.MISSED) for phase in Phase if phase is not _P.RECOVERING),
        *((phase, _E.HANDS_ON) for phase in Phase if phase is not _P.LEFT),
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
