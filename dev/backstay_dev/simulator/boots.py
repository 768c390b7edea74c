"""What systemd starts by itself when a machine boots, and whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES

from .machines import Machine, unit_of

if TYPE_CHECKING:
    from .world import World


def boot_units(world: World, machine: Machine) -> None:
    """What systemd starts by itself. It is the service's own copy if the unit was marked here since the service exists: then
    the mark should still be there. Anything else is no promise of ours (docs/explanation/limits.md): a person will stop it."""
    enabled = machine.state.enabled
    pulled_in = {part for umbrella in enabled for part in machine.state.pulls_in.get(umbrella, ())}
    for identity in sorted(((enabled - machine.state.pulls_in.keys()) | pulled_in) - machine.state.secured):
        world.story.tell(f"systemd on {machine.name}", f"starts {identity}: it is enabled, and carries no mark")
        created_s = _named_since_s(world, identity)
        if created_s is None or machine.marked_s.get(identity, 0.0) < created_s:
            machine.note_by_hand(identity)
        machine.state.up(unit_of(identity))


def _named_since_s(world: World, identity: str) -> float | None:
    """Since when a service exists that consists of this unit now.

    One that is being deleted counts for as long as it has an HAInstance: when that is gone, every copy is over and every mark is
    given back. What starts by itself between that and the last of the service belongs to its admin, as it does a moment later.
    """
    owning = {body["spec"]["service"]["uid"] for body in world.cluster.bodies(HA_INSTANCES)}
    for body in world.cluster.bodies(HA_SERVICES):
        if body["metadata"].get("deletionTimestamp") and body["metadata"]["uid"] not in owning:
            continue
        units = [(resource.get("systemd") or {}).get("unit") for resource in body["spec"]["resources"]]
        if identity.removeprefix("unit ") in units:
            return world.monitor.created_s.get(body["metadata"]["name"])
    return None
