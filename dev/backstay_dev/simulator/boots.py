"""What systemd starts by itself when a machine boots, and whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES

from .machines import Machine
from .monitor import units_of

if TYPE_CHECKING:
    from .world import World

LATELY_S: Final = 60.0
"""So long after a manifest names a unit, a host with an old view may still take the mark off it."""


def boot_units(world: World, machine: Machine) -> None:
    """What systemd starts by itself: the service's own copy, if the mark should still be there. Anything else is no promise of ours
    (docs/explanation/limits.md): a person will stop it."""
    enabled = machine.state.enabled
    pulled_in = {part for umbrella in enabled for part in machine.state.pulls_in.get(umbrella, ())}
    for identity in sorted(((enabled - machine.state.pulls_in.keys()) | pulled_in) - machine.state.secured):
        world.story.tell(f"systemd on {machine.name}", f"starts {identity}: it is enabled, and carries no mark")
        if not _should_be_marked(world, machine, identity):
            machine.note_by_hand(identity)
        machine.state.up_bare(identity)


def _should_be_marked(world: World, machine: Machine, identity: str) -> bool:
    """It was marked here since a service has named it, or lost its mark when every view of that was long over. A host that was off or
    silent when a manifest came to name the unit was asked nothing."""
    named_s = _named_since_s(world, machine.state.units[identity])
    never_s = float("-inf")
    if named_s is None:
        return False
    marked_s, given_back_s = (of.get(identity, never_s) for of in (machine.marked_s, machine.given_back_s))
    return marked_s >= max(named_s, given_back_s) or given_back_s > named_s + LATELY_S


def _named_since_s(world: World, unit: str) -> float | None:
    """Since when a service has named this unit that does so now.

    One that is being deleted counts for as long as it has an HAInstance: when that is gone, every copy is over and every mark is
    given back. What starts by itself between that and the last of the service belongs to its admin, as it does a moment later.
    """
    owning = {body["spec"]["service"]["uid"] for body in world.cluster.bodies(HA_INSTANCES)}
    for body in world.cluster.bodies(HA_SERVICES):
        if body["metadata"].get("deletionTimestamp") and body["metadata"]["uid"] not in owning:
            continue
        if unit in units_of(body):
            return world.monitor.named_s.get((body["metadata"]["name"], unit))
    return None
