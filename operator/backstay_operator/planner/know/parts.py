"""A service of mode Promotable in its two parts: the copies, and the promoted role, which is one exclusive thing that stands on a copy.

Each part is the service itself with what belongs to that part alone: the copies as of a Replicated service, the promoted role as of a
Single one. Whoever decides about an instance is given the part that it is of, and need not know that there is another.
"""

from __future__ import annotations

from typing import Literal

from backstay_api.objects.models import HAService
from backstay_api.objects.models.resources import Resource
from backstay_api.objects.models.service import HAServiceSpec
from backstay_api.objects.names import promoted_name

from .world import World

Role = Literal["", "Any", "Promoted"]


class PartSpec(HAServiceSpec):
    """What a manifest says about one part. Never written anywhere."""

    part: Role


def part_of(world: World, service: HAService, name: str) -> HAService:
    """What of a service its instance of this name carries out: all of it, but in mode Promotable."""
    if service.spec.mode != "Promotable":
        return service
    copies, promoted = world.keep("parts", service.key, (service,), lambda: parts(service))
    return promoted if name == promoted_name(service.metadata.name) else copies


def parts(service: HAService) -> tuple[HAService, ...]:
    """The copies and the promoted role; of any other mode the service alone."""
    if service.spec.mode != "Promotable":
        return (service,)
    number = service.spec.replicas or 1
    copies = [
        one.as_copy(number) if one.is_promotable else one for one in service.spec.resources if one.role != "Promoted"
    ]
    promoted = [
        one.as_promotion(number) if one.is_promotable else one
        for one in service.spec.resources
        if one.role == "Promoted" or one.is_promotable
    ]
    # A copy that is promoted takes no more room than before.
    placement = service.spec.placement.model_copy(update={"capacity": None})
    return (
        _part(service, "Any", copies, mode="Replicated"),
        _part(service, "Promoted", promoted, mode="Single", replicas=None, exclusive=True, placement=placement),
    )


def role_of(service: HAService) -> Role:
    """Which part this is; empty: it is the service as a whole."""
    return service.spec.part if isinstance(service.spec, PartSpec) else ""


def of_the_same_part(service: HAService, spec: HAServiceSpec) -> HAServiceSpec:
    """Another manifest for what this one is about."""
    role = role_of(service)
    # Which copy may be promoted is the people's latest word, as placement is.
    fields = {**dict(spec), "promotion": service.spec.promotion, "part": role}
    return PartSpec.model_construct(**fields) if role else spec


def _part(service: HAService, role: Role, resources: list[Resource], **fields: object) -> HAService:
    names = {one.name for one in resources}
    alone = [_alone(one, names) for one in resources]
    spec = PartSpec.model_construct(**{**dict(service.spec), "resources": alone, **fields, "part": role})
    return service.model_copy(update={"spec": spec})


def _alone(resource: Resource, names: set[str]) -> Resource:
    """As if there were nothing else: what stands on a copy starts after all of it anyway."""
    after = resource.after and [name for name in resource.after if name in names]
    return resource.model_copy(update={"role": None, "after": after})
