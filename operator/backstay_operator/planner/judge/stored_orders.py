"""What a host has been told already, as it is stored."""

from __future__ import annotations

from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.assignment import InstanceOrder
from backstay_operator.planner.know.world import World


def stored_order(world: World, host: str, instance: HAInstance) -> InstanceOrder | None:
    """What the host has been told about the present epoch of an instance."""
    assignment = world.assignments.get(host)
    entry = assignment.spec.instances.get(instance.uid) if assignment else None
    grant = instance.spec.grant
    if entry is None or grant is None or (entry.epoch, entry.session) != (instance.spec.epoch, grant.session):
        return None
    return entry
