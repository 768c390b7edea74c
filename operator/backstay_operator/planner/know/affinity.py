"""Which services `placement.together` and `apart` are about, as they are declared: names and labels, nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from backstay_api.objects.models import HAService
from backstay_api.objects.models.placement import Affinity
from backstay_api.objects.names import key_of

from .selection import why_not_selected
from .world import World


def rules_of(service: HAService) -> Iterator[tuple[str, Affinity]]:
    """Each rule about other services, with its place in the manifest: `spec.placement.apart[0]`."""
    placement = service.spec.placement
    for field, rules in (("together", placement.together), ("apart", placement.apart)):
        yield from ((f"spec.placement.{field}[{number}]", rule) for number, rule in enumerate(rules or ()))


def wants_near(path: str) -> bool:
    """Whether a rule at this place wants to be near."""
    return path.startswith("spec.placement.together")


def is_mutual(path: str, rule: Affinity) -> bool:
    """Whether the other service minds as well."""
    return rule.mutual if rule.mutual is not None else not wants_near(path)


def names(owner: HAService, rule: Affinity, other: HAService) -> bool:
    """Whether a rule of its owner is about this other service."""
    if other.uid == owner.uid or other.metadata.namespace != owner.metadata.namespace:
        return False
    if rule.services is not None:
        return not why_not_selected(rule.services, other.metadata.labels)
    return rule.service == other.metadata.name


def named(world: World, owner: HAService, rule: Affinity) -> tuple[HAService, ...]:
    """The services that a rule is about, in a fixed order."""
    if rule.service is not None:
        found = world.services.get(key_of(owner.metadata.namespace, rule.service))
        return (found,) if found is not None and names(owner, rule, found) else ()
    return tuple(one for key in sorted(world.services) if names(owner, rule, one := world.services[key]))


def comes_first(one: HAService, other: HAService) -> bool:
    """Of two that mind each other: whether the second is the one that follows, or leaves. The more important stays, then the first by name."""
    return _rank(one) < _rank(other)


def _rank(service: HAService) -> tuple[int, str]:
    return (-(service.spec.placement.priority or 0), service.key)
