"""What fits into one HostAssignment: orders whatever their size, then standbys as far as there is room, those that wait first."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from backstay_api.objects.bounds import MOST_INSTANCES
from backstay_api.objects.models.assignment import HostAssignmentSpec, InstanceOrder, StandbyOrder
from backstay_api.objects.models.base import Model

from .world import World

# An object must stay well below what etcd takes (1.5 MiB); the host's own report shares it.
MOST_BYTES: Final = 900 * 1024


def no_room(world: World, host: str, uid: str) -> str | None:
    """Why this host cannot be asked to keep itself ready for one more instance, as what follows its name."""
    assignment = world.assignments.get(host)
    if assignment is None or uid in assignment.spec.standbys:
        return None
    asked = len(assignment.spec.standbys)
    if asked >= MOST_INSTANCES:
        return f"keeps itself ready for {asked} services already, and can be asked about no more at a time"
    return None


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


def _unedited(stored: InstanceOrder | None, wanted: InstanceOrder) -> InstanceOrder:
    if stored is None or stored.epoch != wanted.epoch:
        return wanted
    return wanted.model_copy(update={"resources": stored.resources, "revision": stored.revision})


def size(part: Model) -> int:
    """Of a spec, or of a part of one, as it stands on the wire, in bytes."""
    return len(part.model_dump_json(by_alias=True, exclude_none=True).encode())
