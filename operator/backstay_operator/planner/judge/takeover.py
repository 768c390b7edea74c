"""Could anybody take over what a lost host holds? Power is cut only where that helps somebody (PROTOCOL 4).

A host that is merely cut off from the API server may go on serving its clients. To power it off makes an outage, and is worth it
only where another host then runs what it ran.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.know.dependencies import dependencies, dependents, other_key
from backstay_operator.planner.know.liveness import held
from backstay_operator.planner.know.unforeseen import BROKEN
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from .acceptance import Accepted, accept
from .copies import instances_of
from .dependencies import works
from .last_accepted import in_force
from .placement import NoHost, Placed, choose, choose_or_retry, fold
from .questions import Question, held_by_nobody
from .shedding import less_important

MOST_NAMED: Final = 3
"""So many hosts are named each with its own reason; of more, the reasons are counted."""


def why_left_alone(world: World, host: str, holder: str) -> str:
    """Why nobody would gain if this session's host were cut off, as a sentence; empty if somebody would."""
    instances = (world.instances[key] for key in held(world, host))
    granted = ((one.key, one.spec.grant) for one in instances if one.spec.exclusive)
    return why_nobody_follows(world, host, [key for key, grant in granted if grant and grant.session.text == holder])


def why_nobody_follows(world: World, host: str, keys: Iterable[str]) -> str:
    """The same of some instances that the host holds."""
    reasons: dict[str, list[str]] = {}
    for instance in (world.instances[key] for key in keys):
        why = _why_not_taken_over(world, instance, host)
        if not why:
            return ""
        reasons.setdefault(why, []).append(instance.service_key)
    whys = "; ".join(f"{listed(keys)}: {why}" for why, keys in sorted(reasons.items())[:3])
    return (
        f"{host} is not fenced, because no other host could take over ({whys}); it is fenced as soon as one could"
        if whys
        else ""
    )


def _why_not_taken_over(world: World, instance: HAInstance, host: str) -> str:
    return _why_not_alone(world, instance, host) or _why_without(world, instance, host)


def _why_not_alone(world: World, instance: HAInstance, host: str) -> str:
    """The same, whatever it requires."""
    return world.once(f"who follows on {host}", (instance,), lambda: _why_not_followed(world, instance, host))


def _why_not_followed(world: World, instance: HAInstance, host: str) -> str:
    service = world.services.get(instance.service_key)
    if service is None or service.uid != instance.spec.service.uid:
        return "it has no HAService that could be read"
    if service.metadata.deletion_timestamp is not None:
        return "it is being deleted"
    try:
        wanted, acceptance = in_force(world, service, instance, accept(world, service))
        if not isinstance(acceptance, Accepted):
            return acceptance.message
        if wanted.spec.state != "Running":
            return f"spec.state is {wanted.spec.state}"
        return _why_nowhere(world, wanted, instance, host)
    except BROKEN as error:
        return f"it cannot be planned ({type(error).__name__})"


def _why_without(world: World, instance: HAInstance, host: str) -> str:
    """What it requires, directly or through others, works nowhere else, and could not be taken over."""
    service = world.services.get(instance.service_key)
    required = [one for one in dependencies(world, service) if one.type != "After"] if service is not None else []
    if service is None or not required:
        return ""
    left = world.once(f"left behind on {host}", (), lambda: _left_behind(world, host))
    return next((left[key] for one in required if (key := other_key(service, one)) in left), "")


def _left_behind(world: World, host: str) -> Mapping[str, str]:
    """By key of a service that works nowhere else, and could not follow: why what requires it could not either."""
    here: dict[str, list[HAInstance]] = {}
    for instance in (world.instances[key] for key in held(world, host)):
        here.setdefault(instance.service_key, []).append(instance)
    found: dict[str, str] = {}
    for key, instances in sorted(here.items()):
        whys = [] if _works_elsewhere(world, key, host) else [_why_not_alone(world, one, host) for one in instances]
        if whys and all(whys):
            found[key] = f"it requires {key}: {whys[0]}"
    waiting = deque(found)
    while waiting:
        key = waiting.popleft()
        for other, dependency in dependents(world).get(key, ()):
            is_only_here = other.key in here and not _works_elsewhere(world, other.key, host)
            if dependency.type != "After" and is_only_here and other.key not in found:
                found[other.key] = found[key]
                waiting.append(other.key)
    return found


def _works_elsewhere(world: World, key: str, host: str) -> bool:
    service = world.services.get(key)
    return service is not None and any(works(world, one) for one in instances_of(world, service) if one.holder != host)


def _why_nowhere(world: World, service: HAService, instance: HAInstance, host: str) -> str:
    ask = Question(world, service, held_by_nobody(instance), away_from=frozenset([host]))
    placed, leaving = choose_or_retry(ask), less_important(world, service)
    if not isinstance(placed, NoHost) or (
        leaving and isinstance(choose(replace(ask, leaving=leaving, noted={})), Placed)
    ):
        return ""
    others = [verdict for verdict in placed.verdicts if verdict.host != host]
    if not others:
        return "there is no other host"
    if len(others) > MOST_NAMED:
        return fold(others)
    return ", ".join(f"{verdict.host} {verdict.why}" for verdict in sorted(others, key=lambda one: one.host))
