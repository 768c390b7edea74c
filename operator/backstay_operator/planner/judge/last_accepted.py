"""What a refused edit leaves in force: the manifest before it, as the hosts were told it.

Nobody stores old manifests. But what runs was rendered from one, and stands in the orders; so does what the standbys were asked. From
that the service goes on, elsewhere too if its host is lost: a typing error must not be found out by a power cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.resources import RenderedResource, Resource
from backstay_api.objects.models.service import HAServiceSpec, Placement
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
    told = max(_orders_about(world, instance), key=lambda one: one[0], default=None)
    if told is None or told[0] == service.metadata.generation:
        return service, acceptance
    before = _as_ordered(service, *told)
    found = accept(world, before)
    return (before, found) if isinstance(found, Accepted) else (service, acceptance)


def _shall_go_on(world: World, instance: HAInstance) -> bool:
    """Whether it ran when the edit came, or was lost since: what was stopped by somebody's will stays so."""
    grant, closed = instance.spec.grant, instance.spec.closed
    if grant is None:
        return closed is not None and was_lost(closed)
    stored = stored_order(world, grant.host, instance)
    return stored is None or stored.want == "Up"


def _orders_about(world: World, instance: HAInstance) -> Iterator[tuple[int, Sequence[RenderedResource]]]:
    """Revision and resources of every order about it. Rare, so that looking at every host does no harm."""
    for assignment in world.assignments.values():
        for order in (assignment.spec.instances.get(instance.uid), assignment.spec.standbys.get(instance.uid)):
            if order is not None and order.resources:
                yield order.revision, order.resources


def _as_ordered(service: HAService, revision: int, resources: Sequence[RenderedResource]) -> HAService:
    now = service.spec.placement
    # Where it may run is the people's latest word, as far as we can follow it; the rest is as it was or as nothing was said.
    placement = Placement(hosts=now.hosts, prefer=now.prefer, stickiness=now.stickiness)
    spec = HAServiceSpec(resources=[Resource(**dict(one)) for one in resources], placement=placement)
    metadata = service.metadata.model_copy(update={"generation": revision})
    return service.model_copy(update={"metadata": metadata, "spec": spec})
