"""What an edit makes a service run that nobody was asked about: before it is ordered, each live candidate answers, as before the first epoch.

A unit that is new in the manifest may be enabled, or run, on any candidate. Ordered at once, it would run twice as soon as one of them
boots, or twice already.
"""

from __future__ import annotations

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import InstanceOrder
from backstay_api.objects.resource_kinds import units_of
from backstay_api.objects.unit_names import canonical_unit
from backstay_operator.planner.know.world import World

from .remains import stored_order


def news(world: World, service: HAService, instance: HAInstance) -> frozenset[str]:
    """Units that the manifest names and that no host was ever ordered to run for this instance."""
    grant = instance.spec.grant
    if grant is None or not instance.spec.exclusive:
        return frozenset()
    stored = stored_order(world, grant.host, instance)
    if stored is not None and stored.revision == service.metadata.generation:
        return frozenset()  # as nearly always
    orders = [stored] if stored is not None else _orders(world, instance)
    if not orders:
        return frozenset()  # just granted for the first time: everybody has answered for that
    ordered = units_of(resource for order in orders for resource in order.resources)
    return frozenset(map(canonical_unit, units_of(service.spec.resources))).difference(map(canonical_unit, ordered))


def _orders(world: World, instance: HAInstance) -> list[InstanceOrder]:
    """Whatever any host has been told. Rare, so that looking at every host does no harm."""
    found = (assignment.spec.instances.get(instance.uid) for assignment in world.assignments.values())
    return [order for order in found if order is not None]
