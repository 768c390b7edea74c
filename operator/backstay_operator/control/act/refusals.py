"""What the API server will not have, remembered for as long as it is still wanted, and told in the status of the object it is about.

An Event passes and a log is read by nobody: the reason why nothing happens belongs where people look. Every kind of action is about a
service or a host; the planner finds the sentence in `World.refused` and puts it into their conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from backstay_api.objects.models import ResourceClaim
from backstay_api.objects.models.assignment import InstanceOrder, StandbyOrder
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HA_INSTANCES, HA_SERVICES, RESOURCE_CLAIMS
from backstay_api.objects.texts import clip
from backstay_operator.control.act.refs import subject_of
from backstay_operator.planner.actions import Action, Assign, WriteServiceStatus
from backstay_operator.planner.know.holdings import owners
from backstay_operator.planner.know.world import World

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


def concerned(action: Action) -> Iterator[About]:
    """Whose status has to say it: the service or the host that the written object belongs to."""
    subject, written = subject_of(action), _written(action)
    if subject.kind is HA_SERVICES:
        yield "HAService", subject.key
    elif subject.kind is HA_INSTANCES:
        yield "HAService", f"{subject.namespace}/{written.spec.service.name}"
    elif subject.kind is RESOURCE_CLAIMS:
        yield from (("HAService", owner.key) for claim in _claims(action, written) for owner in owners(claim))
    else:
        # Host, HostAssignment and Lease are called as the host is.
        yield "Host", written.spec.host if subject.kind is FENCE_REQUESTS else subject.name
    if isinstance(action, Assign):
        told: list[InstanceOrder | StandbyOrder] = [*action.spec.instances.values(), *action.spec.standbys.values()]
        yield from (("HAService", f"{one.namespace}/{one.name.rpartition('-')[0]}") for one in told)


def _written(action: Any) -> Any:
    """The object as it is before the write; where it is only made, what is made has the same spec."""
    return getattr(action, "before", None) or action


def _claims(action: Any, written: Any) -> Iterator[ResourceClaim]:
    """The claim as it is and as it shall be: who gives it up and who gets it are both concerned."""
    if isinstance(written, ResourceClaim):
        yield written
    wanted = getattr(action, "claim", None)
    if wanted is not None:
        yield wanted
    elif spec := getattr(action, "spec", None):
        yield written.model_copy(update={"spec": spec})


def _in_words(action: Action) -> str:
    return f"{type(action).__name__} {subject_of(action).key}"


def _id(action: Action) -> tuple[str, str, str]:
    subject = subject_of(action)
    return type(action).__name__, subject.kind.kind, subject.key
