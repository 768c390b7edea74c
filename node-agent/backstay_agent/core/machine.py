"""The life of one instance on this host, in one table: what is the case, where that leads, and what is then to be done.

Everything that leads an instance from one phase to another stands in this file; nobody else changes a phase. `rules.py` says
what is allowed, `patience.py` when, the runner what is the case and how to do it.

**How it works.** The machine is led by what is the case, never by what happens. A runner that is woken, by whatever, gathers a
`Situation`, and the first row of `TABLE` that fits decides. Nothing is queued, so nothing can come too late, twice or in the
wrong order; a wake-up too many is harmless, and one that was lost costs time until the next. When several things are the case
at once, the order of the rows says which comes first: what must stop, then maintenance, then an edit, then how the effect under
way has ended, then what is down, then a start. The last row waits, so that each situation is decided by some row.

**What is remembered.** The phase is only in memory. On disk is whether parts may be running (`Record.may_run`): an agent that
starts begins with Running or with Stopped, and takes nothing for granted that it has not looked at. Two things beside the phase
decide as well, and both are about one epoch: that it was given up (on disk), and which restarts were tried (on disk as far as
they count). A newer epoch begins without them, and with the phase as it was: what runs goes on under it.

**What an effect is.** One task, begun when its row is taken, and told to end when another row is. It may so be cut off at any
await: it writes down what it is about to do before it does it, and what follows it must not assume that it came to its end.
So half started is not stopped: from Starting and Recovering the only ways down go through Stopping. Only a verified stop leads
to Stopped; what could not be stopped is Stuck, and is stopped again for ever.

**What the table does not know.** Whether it may be started is asked twice: here, and once more by the effect itself inside the
write that records the start (a seal may come between the two; the answer is then `Outcome.REFUSED`). Resources have states of
their own: an instance that is Running may be down, and Left to the admin it may be anything. And what others are told (`reports.py`)
is worded from the phase and is not the phase: Recovering is told as Running.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


class Effect(Enum):
    """What the runner has to do next."""

    START = "start"
    """Every resource, top to bottom; what went wrong before is forgotten."""
    RESTART = "restart"
    """What is down and what stands on it, in place."""
    CHANGE = "change"
    """What an edit makes other work of, and what stands on that; the rest runs on."""
    STOP = "stop"
    """Every resource, bottom to top, verified."""
    GIVE_UP = "stop and give up"
    """The same, and record that it is not tried again in this epoch."""
    WATCH = "watch"
    """Look at every resource once, then listen."""
    PERMIT = "permit"
    """Record that it may run from now on, and let the host's admin start it; then watch."""
    CLOSE = "close"
    """Record that this epoch is over here for ever, then say so."""


class Outcome(Enum):
    """How the effect that was under way has ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Something could not be started."""
    HOPELESS = "hopeless"
    """The same, and what stands in the way does not go by itself."""
    MISSED = "missed"
    """Nothing but an address could not be put back."""
    BLOCKED = "blocked"
    """Something could not be stopped, or not be recorded."""
    REFUSED = "refused"
    """When it was its turn, it might not be started any more. Nothing was touched."""


class Reason(Enum):
    """What people are told about why a row was taken."""

    ENDED = "how the effect has ended"
    DOWN = "what is down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that decides what happens to one instance next."""

    phase: Phase
    outcome: Outcome | None = None
    """None while the effect goes on, or where there is none."""
    must_stop: bool = False
    """Told so, sealed and exclusive, or the machine is going down."""
    hands_off: bool = False
    """Nothing may be touched, but for what must stop."""
    over: bool = False
    """The epoch is closed: there is nothing to watch any more."""
    may_start: bool = False
    gave_up: bool = False
    edited: bool = False
    """What is wanted is other work than what was started."""
    role_failed: bool = False
    """It is promoted, and the copy that it stands on is not up here, or is about to stop; or it is that copy, and could not be demoted."""
    down: bool = False
    """A resource is down or does not work."""
    may_restart: bool = True
    """Within the limit of restarts in place, or one that does not count; and what is down does not say that none would help."""
    may_retry: bool = False
    """A start that has failed may be tried again here."""
    try_due: bool = True
    """Enough time has passed since the last try."""
    retry_due: bool = False
    """The same, since the last try to stop it."""


@dataclass(frozen=True, slots=True)
class Row:
    """In these phases, when this is the case: there it goes, and that is then done."""

    phases: tuple[Phase, ...]
    when: str
    """In a few words, for the drawing."""
    holds: Callable[[Situation], bool]
    to: Phase | None
    """None: it stays as it is, whatever the rows below say."""
    effect: Effect | None = None
    reason: Reason | None = None


_P, _F, _O, _R = Phase, Effect, Outcome, Reason
_DOWN: Final = (_P.STOPPED, _P.FAILED)
_BEGUN: Final = (_P.STARTING, _P.RECOVERING)
_UP: Final = (*_BEGUN, _P.RUNNING)


def _is_hopeless(now: Situation) -> bool:
    return now.outcome is _O.BLOCKED or (now.outcome is _O.FAILED and not now.may_retry)


# fmt: off
TABLE: Final[Sequence[Row]] = (
    # What must stop does, whatever else is the case. What is being stopped, or could not be, is on its way already.
    Row(_DOWN,            "it must stop",                lambda now: now.must_stop,                       _P.STOPPED, _F.CLOSE),
    Row((*_UP, _P.LEFT),  "it must stop",                lambda now: now.must_stop,                       _P.STOPPING, _F.STOP),
    Row((_P.LEFT,),       "its epoch is over",           lambda now: now.over,                            _P.STOPPING, _F.STOP),
    Row((_P.STOPPING,),   "it is down",                  lambda now: now.outcome is _O.SUCCEEDED,         _P.STOPPED),
    Row((_P.STOPPING,),   "it is not proven down",       lambda now: now.outcome is not None,             _P.STUCK, None, _R.ENDED),
    # Maintenance: everything is left as it is, and nothing is begun.
    Row(_DOWN,            "hands off, and may start",    lambda now: now.hands_off and now.may_start,     _P.LEFT, _F.PERMIT),
    Row(_DOWN,            "hands off",                   lambda now: now.hands_off,                       None),
    Row((*_UP, _P.STUCK), "hands off",                   lambda now: now.hands_off and not now.must_stop, _P.LEFT, _F.PERMIT),
    Row((_P.LEFT,),       "maintenance is over",         lambda now: not now.hands_off,                   _P.RUNNING, _F.WATCH),
    Row((_P.STUCK,),      "time to try again",           lambda now: now.retry_due,                       _P.STOPPING, _F.STOP),
    # What is promoted stands on a copy, which waits for it before it stops or restarts itself.
    # A copy that could not be demoted is stopped as a whole: after that, nothing is left that could be promoted.
    Row(_UP,              "no copy beneath, or no demote", lambda now: now.role_failed,                   _P.STOPPING, _F.STOP),
    # Other work is wanted than was begun: worth a try of its own. Of what has not come up as a whole yet nothing is kept.
    Row((_P.RUNNING,),    "edited, and may start",       lambda now: now.edited and now.may_start,        _P.RECOVERING, _F.CHANGE),
    Row(_UP,              "edited",                      lambda now: now.edited,                          _P.STOPPING, _F.STOP),
    Row((_P.FAILED,),     "edited, or another epoch",    lambda now: now.edited or not now.gave_up,       _P.STOPPED),
    # How what was begun has ended. What stands below an address that failed is well, and stays up.
    Row(_BEGUN,           "it works",                    lambda now: now.outcome is _O.SUCCEEDED,         _P.RUNNING, _F.WATCH),
    Row((_P.RECOVERING,), "only an address failed",      lambda now: now.outcome is _O.MISSED,            _P.RUNNING, _F.WATCH, _R.ENDED),
    Row((_P.STARTING,),   "failed, no more tries",       _is_hopeless,                                    _P.STOPPING, _F.GIVE_UP, _R.ENDED),
    Row(_BEGUN,           "cannot work here",            lambda now: now.outcome is _O.HOPELESS,          _P.STOPPING, _F.GIVE_UP, _R.ENDED),
    Row(_BEGUN,           "failed",                      lambda now: now.outcome is not None,             _P.STOPPING, _F.STOP, _R.ENDED),
    # What may not be restarted (a limit, an earlier session's copy) is at least stopped as a whole.
    Row((_P.RUNNING,),    "down, no more tries",         lambda now: now.down and not now.may_restart,    _P.STOPPING, _F.GIVE_UP, _R.DOWN),
    Row((_P.RUNNING,),    "down, and may not start",     lambda now: now.down and not now.may_start,      _P.STOPPING, _F.STOP, _R.DOWN),
    Row((_P.RUNNING,),    "down, and time to try",       lambda now: now.down and now.try_due,            _P.RECOVERING, _F.RESTART, _R.DOWN),
    # What is stopped is started, unless it was given up.
    Row((_P.STOPPED,),    "given up",                    lambda now: now.gave_up,                         _P.FAILED),
    Row((_P.STOPPED,),    "may start, and time to try",  lambda now: now.may_start and now.try_due,       _P.STARTING, _F.START),
    Row(tuple(Phase),     "nothing of this",             lambda now: True,                               None),
)
# fmt: on


def decide(now: Situation) -> Row:
    """The first row that fits. One always does."""
    return next(row for row in TABLE if now.phase in row.phases and row.holds(now))
