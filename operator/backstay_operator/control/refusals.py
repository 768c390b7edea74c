"""What the API server will not have, remembered for as long as it is still wanted, and told in the status of the object it is about.

An Event passes and a log is read by nobody: the reason why nothing happens belongs where people look. Every kind of action is about a
service or a host; the planner finds the sentence in `World.refused` and puts it into their conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, assert_never

from backstay_api.models import HAInstance, HAService
from backstay_api.models.assignment import InstanceOrder, StandbyOrder
from backstay_api.texts import clip
from backstay_operator.control.subjects import subject_of
from backstay_operator.planner.actions import (
    Action,
    Assign,
    CreateClaim,
    CreateInstance,
    CreateLease,
    DeleteAssignment,
    DeleteClaim,
    DeleteFence,
    DeleteInstance,
    DeleteLease,
    RemoveMoveWish,
    ReopenLease,
    ReportUnreadable,
    RequestFence,
    SealLease,
    SetFinalizer,
    UpdateFence,
    WriteClaim,
    WriteHostStatus,
    WriteInstance,
    WriteServiceStatus,
)
from backstay_operator.planner.holdings import owners
from backstay_operator.planner.world import World

About = tuple[str, str]
"""Kind and key of an object that people read: HAService or Host."""

MOST_CHARS: Final = 1000
STATUS_S: Final = 300.0
"""After a status was refused, only its conditions are written for so long: the whole would be refused again."""


@dataclass(frozen=True)
class _Refusal:
    about: tuple[About, ...]
    text: str
    until_s: float | None = None


class Refusals:
    """By type of action, and kind and key of what it writes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str, str], _Refusal] = {}

    def note(self, action: Action, why: str) -> None:
        """It was refused, and will be as long as nothing changes."""
        until_s = self._clock() + STATUS_S if isinstance(action, WriteServiceStatus) else None
        text = clip(f"the API server refuses {_in_words(action)}: {why}", MOST_CHARS)
        self._known[_id(action)] = _Refusal(tuple(dict.fromkeys(concerned(action))), text, until_s)

    def forget(self, action: Action) -> None:
        """It was done, or is decided afresh."""
        known = self._known.get(_id(action))
        if known is not None and known.until_s is None:
            del self._known[_id(action)]

    def show(self, world: World) -> None:
        """Put into the picture what is refused now."""
        now_s = self._clock()
        self._known = {id_: one for id_, one in self._known.items() if one.until_s is None or one.until_s > now_s}
        said: dict[About, list[str]] = {}
        for _, one in sorted(self._known.items()):
            for about in one.about:
                said.setdefault(about, []).append(one.text)
        world.refused = {about: clip("; ".join(texts), MOST_CHARS) for about, texts in said.items()}
        world.short_status = {id_[2] for id_ in self._known if id_[0] == WriteServiceStatus.__name__}

    def keep_only(self, actions: Iterable[Action]) -> None:
        """What is no longer wanted is no longer refused."""
        wanted = {_id(action) for action in actions}
        self._known = {id_: one for id_, one in self._known.items() if id_ in wanted or one.until_s is not None}


def concerned(action: Action) -> Iterator[About]:  # noqa: C901 (one flat table of all actions)
    """Whose status has to say it."""
    match action:
        case CreateInstance():
            yield "HAService", f"{action.namespace}/{action.spec.service.name}"
        case WriteInstance() | DeleteInstance():
            yield "HAService", _service_of(action.before)
        case CreateClaim():
            yield from (("HAService", owner.key) for owner in owners(action.claim))
        case WriteClaim():
            now = {owner.uid: owner.key for owner in (action.spec.hosts or ())}
            yield from (("HAService", owner.key) for owner in owners(action.before))
            yield from (("HAService", key) for key in now.values())
        case DeleteClaim():
            yield from (("HAService", owner.key) for owner in owners(action.before))
        case SetFinalizer():
            before = action.before
            if isinstance(before, HAInstance):
                yield "HAService", _service_of(before)
            else:
                yield "HAService" if isinstance(before, HAService) else "Host", before.key
        case RemoveMoveWish() | WriteServiceStatus():
            yield "HAService", action.before.key
        case ReportUnreadable():
            yield action.kind, action.key
        case Assign():
            yield "Host", action.host
            told: list[InstanceOrder | StandbyOrder] = [*action.spec.instances.values(), *action.spec.standbys.values()]
            yield from (("HAService", f"{one.namespace}/{one.name.rpartition('-')[0]}") for one in told)
        case CreateLease():
            yield "Host", action.host
        case SealLease() | ReopenLease() | DeleteLease():
            yield "Host", action.lease.host
        case RequestFence():
            yield "Host", action.spec.host
        case UpdateFence() | DeleteFence():
            yield "Host", action.before.spec.host
        case DeleteAssignment() | WriteHostStatus():
            yield "Host", action.before.metadata.name
        case _:
            assert_never(action)


def _service_of(instance: HAInstance) -> str:
    return f"{instance.metadata.namespace}/{instance.spec.service.name}"


def _in_words(action: Action) -> str:
    return f"{type(action).__name__} {subject_of(action).key}"


def _id(action: Action) -> tuple[str, str, str]:
    subject = subject_of(action)
    return type(action).__name__, subject.kind.kind, subject.key
