"""What a refused edit leaves in force: the manifest before it, as the hosts were told it.

Nobody stores old manifests. But what runs was rendered from one, and stands in the orders; so does what the standbys were asked. From
that the service goes on, elsewhere too if its host is lost: a typing error must not be found out by a power cut.
"""

from __future__ import annotations

from collections.abc import Iterator

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import InstanceOrder, StandbyOrder
from backstay_api.objects.models.placement import Placement
from backstay_api.objects.models.resources import Resource
from backstay_api.objects.models.service import HAServiceSpec, Recovery
from backstay_operator.planner.know.world import World

from .acceptance import Acceptance, Accepted, accept
from .evidence import was_lost
from .remains import stored_order


def in_force(
    world: World, service: HAService, instance: HAInstance, acceptance: Acceptance
) -> tuple[HAService, Acceptance]:
    """The service as it is to be carried out: as it stands, or where that is refused, as it was before."""
    if isinstance(acceptance, Accepted) or not _shall_go_on(world, instance):
        return service, acceptance
    # Of two of one manifest the order says more than what a standby was asked.
    order = max(
        _orders_about(world, instance), key=lambda one: (one.revision, isinstance(one, InstanceOrder)), default=None
    )
    if order is None or order.revision == service.metadata.generation:
        return service, acceptance
    for placement in _placements(service.spec.placement):
        before = _as_ordered(service, order, placement)
        found = accept(world, before)
        if isinstance(found, Accepted):
            return before, found
    return service, acceptance


def _shall_go_on(world: World, instance: HAInstance) -> bool:
    """Whether it ran when the edit came, or was lost since: what was stopped by somebody's will stays so."""
    grant, closed = instance.spec.grant, instance.spec.closed
    if grant is None:
        return closed is not None and was_lost(closed)
    stored = stored_order(world, grant.host, instance)
    return stored is None or stored.want == "Up"


def _orders_about(world: World, instance: HAInstance) -> Iterator[InstanceOrder | StandbyOrder]:
    """Every order about it that names resources. Rare, so that looking at every host does no harm."""
    for assignment in world.assignments.values():
        for order in (assignment.spec.instances.get(instance.uid), assignment.spec.standbys.get(instance.uid)):
            if order is not None and order.resources:
                yield order


def _placements(now: Placement) -> tuple[Placement, ...]:
    """Where it may run is the people's latest word, as far as we can follow it: with its rules about other services, or without."""
    kept = {"hosts", "prefer", "tolerations", "capacity", "priority", "stickiness"}
    kept = {"hosts", "prefer", "tolerations", "capacity", "priority", "stickiness"}
    follows = Placement(**{field: getattr(now, field) for field in kept})
    return (follows.model_copy(update={"together": now.together, "apart": now.apart}), follows)


def _as_ordered(service: HAService, order: InstanceOrder | StandbyOrder, placement: Placement) -> HAService:
    """What is not placement is as it was, or as nothing was said."""
    stored = order if isinstance(order, InstanceOrder) else None
    spec = HAServiceSpec(
        state="Unmanaged" if stored and stored.is_unmanaged else "Running",
        resources=[Resource(**dict(one)) for one in order.resources],
        placement=placement,
        recovery=Recovery(**dict(stored.recovery)) if stored and stored.recovery else None,
    )
    metadata = service.metadata.model_copy(update={"generation": order.revision})
    return service.model_copy(update={"metadata": metadata, "spec": spec})
