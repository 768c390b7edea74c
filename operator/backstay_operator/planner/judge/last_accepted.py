"""What a refused edit leaves in force: the manifest before it, as the hosts were told it.

Nobody stores old manifests. But what runs was rendered from one, and stands in the orders; so does what the standbys were asked. From
that the service goes on, elsewhere too if its host is lost: a typing error must not be found out by a power cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import InstanceOrder, StandbyOrder
from backstay_api.objects.models.placement import Placement
from backstay_api.objects.models.resources import RenderedRecovery, Resource
from backstay_api.objects.models.service import HAServiceSpec, Recovery
from backstay_api.objects.resource_kinds import is_prerequisite
from backstay_operator.planner.know.parts import of_the_same_part, part_of
from backstay_operator.planner.know.world import World

from .acceptance import Acceptance, Accepted, accept, is_to_stop
from .evidence import was_lost
from .remains import stored_order


def in_force(
    world: World, service: HAService, instance: HAInstance, acceptance: Acceptance
) -> tuple[HAService, Acceptance]:
    """The service (its part, in mode Promotable) as this instance carries it out: as it stands, or where that is refused, as it was before."""
    service = part_of(world, service, instance.metadata.name)
    if isinstance(acceptance, Accepted) or is_to_stop(service, acceptance) or not _shall_go_on(world, instance):
        return service, acceptance
    # Of two of one manifest the order says more than what a standby was asked.
    order = max(
        _orders_about(world, instance), key=lambda one: (one.revision, isinstance(one, InstanceOrder)), default=None
    )
    if order is None:
        return service, acceptance
    if order.revision == service.metadata.generation:
        return _but_for_dependencies(world, service, acceptance)
    prerequisites = _prerequisites(world, service, instance, order.revision)
    for recovery in (_not_told(service.spec.recovery), {}):
        for placement in _placements(service.spec.placement):
            before = _as_ordered(service, order, placement, prerequisites, recovery)
            found = accept(world, before)
            if isinstance(found, Accepted):
                return before, found
    return service, acceptance


def _but_for_dependencies(world: World, service: HAService, acceptance: Acceptance) -> tuple[HAService, Acceptance]:
    """Another's edit can make a cycle of its own dependencies: they then count for nothing, and all else is as it was."""
    spec = service.spec.model_copy(update={"depends_on": None})
    before = service.model_copy(update={"spec": spec})
    found = accept(world, before) if service.spec.depends_on else acceptance
    return (before, found) if isinstance(found, Accepted) else (service, acceptance)


def _shall_go_on(world: World, instance: HAInstance) -> bool:
    """Whether it ran when the edit came, moves, or was lost since: what was stopped by somebody's will stays so."""
    grant, closed = instance.spec.grant, instance.spec.closed
    if grant is None:
        return closed is not None and was_lost(closed)
    stored = stored_order(world, grant.host, instance)
    return stored is None or stored.want == "Up" or bool(stored.to)


def _orders_about(world: World, instance: HAInstance) -> Iterator[InstanceOrder | StandbyOrder]:
    """Every order about it that names resources. Rare, so that looking at every host does no harm."""
    for assignment in world.assignments.values():
        for order in (assignment.spec.instances.get(instance.uid), assignment.spec.standbys.get(instance.uid)):
            if order is not None and order.resources:
                yield order


def _placements(now: Placement) -> tuple[Placement, ...]:
    """Where it may run is the people's latest word, as far as we can follow it: with its rules about other services, or without."""
    kept = {"hosts", "prefer", "tolerations", "capacity", "priority", "stickiness"}
    follows = Placement(**{field: getattr(now, field) for field in kept})
    rules = {field: getattr(now, field) for field in ("together", "apart", "spread")}
    # A priority that no class allows is as none: nobody is stopped for it.
    return (follows.model_copy(update=rules), follows, follows.model_copy(update={"priority": None}))


def _not_told(now: Recovery | None) -> dict[str, object]:
    """Of `recovery` what hosts are not told: the people's latest word counts, as for placement."""
    fields = Recovery.model_fields.keys() - RenderedRecovery.model_fields.keys()
    return {field: getattr(now, field) for field in fields} if now is not None else {}


def _prerequisites(world: World, service: HAService, instance: HAInstance, revision: int) -> list[Resource]:
    """What hosts have been asked to look at for that manifest. What is to come of it (`gate`) they were not told: as it is said now."""
    gates = {one.name: {"gate": one.gate} for one in service.spec.resources if one.gate and is_prerequisite(one)}
    told = (one.spec.prerequisites.get(instance.uid) for one in world.assignments.values())
    found = next((one.resources for one in told if one is not None and one.revision == revision), ())
    return [Resource.model_validate({**one.wire(), **gates.get(one.name, {})}) for one in found]


def _as_ordered(
    service: HAService,
    order: InstanceOrder | StandbyOrder,
    placement: Placement,
    prerequisites: list[Resource],
    recovery: Mapping[str, object],
) -> HAService:
    """What is not placement is as it was, or as nothing was said."""
    stored = order if isinstance(order, InstanceOrder) else None
    told = {**recovery, **(dict(stored.recovery) if stored and stored.recovery else {})}
    spec = HAServiceSpec(
        state="Unmanaged" if stored and stored.is_unmanaged else "Running",
        # As it was told, also what no manifest says: whether it is a promotion.
        resources=[*prerequisites, *(Resource.model_construct(**dict(one)) for one in order.resources)],
        placement=placement,
        recovery=Recovery(**told) if any(one is not None for one in told.values()) else None,
    )
    metadata = service.metadata.model_copy(update={"generation": order.revision})
    return service.model_copy(update={"metadata": metadata, "spec": of_the_same_part(service, spec)})
