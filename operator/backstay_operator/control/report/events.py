"""What people are told of what came of an action. Pure: an action and its result in, an Event to be posted (or none) out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backstay_api.objects.kinds import Ref
from backstay_operator.control.act.apply import Outcome, Result
from backstay_operator.control.report.recorder import Said
from backstay_operator.planner.actions import Action

UidOf = Callable[[Ref], str]
_NO_REASON: Final = "the plan says so"


def tell(action: Action, result: Result, uid_of: UidOf) -> Said | None:
    """The Event for what was done or refused; None where it is no news for people."""
    name = type(action).__name__
    if result.outcome is Outcome.REFUSED:
        note = f"{name} was refused: {result.why} (it was wanted because {action.why or _NO_REASON})"
        return Said(action.ref, uid_of(action.ref), "Warning", "Refused", name, note)
    event = action.event() if result.outcome is Outcome.DONE else None
    if event is None:
        return None
    return Said(event.about, uid_of(event.about), event.type, event.reason, name, event.note or _NO_REASON)
