"""Rules between services that cannot hold at once, in a sentence that names them."""

from __future__ import annotations

from collections.abc import Iterator

from backstay_api.objects.models import HAService
from backstay_api.objects.models.placement import Affinity
from backstay_api.objects.names import key_of
from backstay_operator.planner.know.affinity import is_mutual, names, rules_of, wants_near
from backstay_operator.planner.know.world import World


def seniority(service: HAService) -> tuple[str, str]:
    """The older of two is the smaller."""
    # The API server's own time, written once and in one form, so that all replicas agree. The clock is only its, not ours.
    return (service.metadata.creation_timestamp or "", service.uid)


def within(service: HAService) -> str:
    """What one manifest contradicts by itself; empty: nothing."""
    rules = list(rules_of(service))
    for path, rule in rules:
        if rule.service == service.metadata.name:
            return f"{path} names the service itself: name another"
    for path, rule in _required(service, together=True):
        for other_path, other in _required(service, together=False):
            if _is_same(rule, other) and _collide(rule, other, of_one=True):
                return (
                    f"{path} and {other_path} cannot both hold: the same services, together and apart; drop one of them"
                )
    return ""


def _is_same(one: Affinity, other: Affinity) -> bool:
    return (one.service, one.services) == (other.service, other.services)


def with_older(world: World, service: HAService) -> str:
    """What its manifest contradicts in that of an older service; empty: nothing."""
    for path, rule in rules_of(service):
        other = world.services.get(key_of(service.metadata.namespace, rule.service)) if rule.service else None
        if other is not None and rule.required and (why := _against(service, path, rule, other)):
            return why
    return _circle(world, service)


def _against(service: HAService, path: str, rule: Affinity, other: HAService) -> str:
    """Also with rules of the same manifest that select the other by its labels."""
    for owner, about in ((service, other), (other, service)):
        for its_path, its in _required(owner, together=not wants_near(path)):
            pair = (rule, its) if wants_near(path) else (its, rule)
            if (
                names(owner, its, about)
                and _collide(*pair, of_one=owner is service)
                and (owner is service or seniority(other) < seniority(service))
            ):
                whose = "" if owner is service else f"the HAService {other.key}'s "
                return f"{path} contradicts {whose}{its_path}: {other.key} cannot be together with it and apart; drop one of them"
    return ""


def _required(service: HAService, *, together: bool) -> Iterator[tuple[str, Affinity]]:
    return ((path, rule) for path, rule in rules_of(service) if rule.required and wants_near(path) == together)


def _collide(together: Affinity, apart: Affinity, *, of_one: bool) -> bool:
    """Who is on the same host is in the same rack as well; in the same rack one may still be on another host. Who must be apart from the
    promoted copy may be together with another. `of_one`: both rules are of one service, about the same other."""
    if apart.is_promoted and not (of_one and together.is_promoted):
        return False
    return together.topology_key in (None, apart.topology_key)


def _circle(world: World, service: HAService) -> str:
    """Services that each start only where the next one runs, so that none would be the first. The youngest is refused."""
    path = [service]
    while (after := _waits_for(world, path[-1])) is not None and after not in path:
        path.append(after)
    if len(path) < 2 or after is None or after.uid != service.uid or service != max(path, key=seniority):
        return ""
    told = " → ".join(one.key for one in (*path, service))
    return f"spec.placement.together makes a circle, in which each waits for the next: {told}; say mutual: true in one of them"


def _waits_for(world: World, service: HAService) -> HAService | None:
    for path, rule in _required(service, together=True):
        if rule.service and not is_mutual(path, rule):
            return world.services.get(key_of(service.metadata.namespace, rule.service))
    return None
