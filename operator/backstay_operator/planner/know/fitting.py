"""What fits into one HostAssignment: orders whatever their size, then standbys as far as there is room, those that wait first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from backstay_api.objects.bounds import MOST_INSTANCES, MOST_QUESTIONS
from backstay_api.objects.models.assignment import HostAssignment, HostAssignmentSpec, InstanceOrder, StandbyOrder
from backstay_api.objects.models.base import Model
from backstay_api.objects.models.prerequisites import CopyQuestion, PrerequisiteOrder
from backstay_api.objects.models.roles import RoleOrder

from .world import World

# An object must stay well below what etcd takes (1.5 MiB); the host's own report shares it.
MOST_BYTES: Final = 900 * 1024
MOST_PREREQUISITE_BYTES: Final = 96 * 1024
"""Of all that one host looks at: what it says of that is about twice as much, and stands in the same object."""

MOST_ROLE_BYTES: Final = 96 * 1024
"""Of all that the OCF agents with roles on one host are told of others."""


def no_room(world: World, host: str, uid: str) -> str | None:
    """Why this host cannot be asked to keep itself ready for one more instance, as what follows its name."""
    assignment = world.assignments.get(host)
    if assignment is None or uid in assignment.spec.standbys:
        return None
    asked = full_with(assignment)
    if asked is None:
        return None
    return f"keeps itself ready for {asked} services already, and can be asked about no more at a time"


def full_with(assignment: HostAssignment) -> int | None:
    """How many services a host keeps itself ready for, where it can be asked about no more."""
    asked = len(assignment.spec.standbys)
    return asked if asked >= MOST_INSTANCES else None


def some_are_full(world: World) -> bool:
    """Whether any host can be asked about no more."""
    return world.once("some are full", (), lambda: any(map(full_with, world.assignments.values())))


def fitted(
    stored: HostAssignmentSpec, wanted: HostAssignmentSpec, merged: HostAssignmentSpec, first: Collection[str]
) -> HostAssignmentSpec:
    """Without the standbys that do not fit, and at last without edits: what runs keeps its orders whatever the size.

    Whoever waits for an answer before it may run at all (`first`) goes before those that have had one.
    """
    if len(merged.standbys) <= MOST_INSTANCES and size(merged) <= MOST_BYTES:
        return wanted
    room = MOST_BYTES - size(merged.model_copy(update={"standbys": {}}))
    if room < 0:
        kept = {uid: _unedited(stored.instances.get(uid), entry) for uid, entry in wanted.instances.items()}
        wanted = wanted.model_copy(update={"instances": kept, "standbys": dict(stored.standbys)})
        room = MOST_BYTES - size(merged.model_copy(update={"instances": {**merged.instances, **kept}, "standbys": {}}))
    standbys: dict[str, StandbyOrder] = {}
    for uid in sorted(wanted.standbys, key=lambda uid: (uid not in first, uid not in stored.standbys, uid)):
        room -= size(wanted.standbys[uid]) + len(f'"{uid}":,')
        if room >= 0 and len(standbys) < MOST_INSTANCES:
            standbys[uid] = wanted.standbys[uid]
    return wanted.model_copy(update={"standbys": standbys})


def fitted_prerequisites(
    before: Mapping[str, PrerequisiteOrder], wanted: Mapping[str, PrerequisiteOrder]
) -> dict[str, PrerequisiteOrder]:
    """As many as there is room for, those first that the host has been asked already: what is not looked at there is not started there."""
    found: dict[str, PrerequisiteOrder] = {}
    room = MOST_PREREQUISITE_BYTES
    for uid in sorted(wanted, key=lambda uid: (uid not in before, uid)):
        room -= size(wanted[uid])
        if room >= 0:
            found[uid] = wanted[uid]
    return dict(sorted(found.items()))


def fitted_roles(before: Mapping[str, RoleOrder], wanted: Mapping[str, RoleOrder]) -> dict[str, RoleOrder]:
    """As many as there is room for: who is not told goes by what it was told last.

    The smallest first, then those that were told before: other hosts say how much there is to tell, and no service shall suffer for what
    the hosts of another one say.
    """
    found: dict[str, RoleOrder] = {}
    room = MOST_ROLE_BYTES
    sizes = {uid: size(one) for uid, one in wanted.items()}
    for uid in sorted(wanted, key=lambda uid: (sizes[uid], uid not in before, uid)):
        if sizes[uid] <= room:
            found[uid] = wanted[uid]
            room -= sizes[uid]
    return dict(sorted(found.items()))


def fitted_questions(before: Sequence[CopyQuestion], wanted: Sequence[CopyQuestion]) -> list[CopyQuestion]:
    """As many as may be asked of a host, those first of which a step has been asked already: what has been found out is not asked again."""
    known = {_about(one) for one in before}
    kept = sorted(wanted, key=lambda one: (_about(one) not in known, _about(one)))[:MOST_QUESTIONS]
    return sorted(kept, key=_about)


def _about(question: CopyQuestion) -> tuple[str, str, str]:
    return question.uid, question.name, question.host


def _unedited(stored: InstanceOrder | None, wanted: InstanceOrder) -> InstanceOrder:
    if stored is None or stored.epoch != wanted.epoch:
        return wanted
    return wanted.model_copy(update={"resources": stored.resources, "revision": stored.revision})


def size(part: Model) -> int:
    """Of a spec, or of a part of one, as it stands on the wire, in bytes."""
    return len(part.model_dump_json(by_alias=True, exclude_none=True).encode())
