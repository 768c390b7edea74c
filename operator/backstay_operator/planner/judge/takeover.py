"""Could anybody take over what a lost host holds? Power is cut only where that helps somebody (PROTOCOL 4).

A host that is merely cut off from the API server may go on serving its clients. To power it off makes an outage, and is worth it
only where another host then runs what it ran.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.know.liveness import held
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from .acceptance import Accepted, accept
from .last_accepted import in_force
from .placement import NoHost, fold, held_by_nobody, place

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
    service = world.services.get(instance.service_key)
    if service is None or service.uid != instance.spec.service.uid:
        return "it has no HAService that could be read"
    if service.metadata.deletion_timestamp is not None:
        return "it is being deleted"
    wanted, acceptance = in_force(world, service, instance, accept(world, service))
    if not isinstance(acceptance, Accepted):
        return acceptance.message
    if wanted.spec.state != "Running":
        return f"spec.state is {wanted.spec.state}"
    return _why_nowhere(world, wanted, instance, host)


def _why_nowhere(world: World, service: HAService, instance: HAInstance, host: str) -> str:
    placed = place(world, service, held_by_nobody(instance), away_from=[host], retry=True)
    if not isinstance(placed, NoHost):
        return ""
    others = [verdict for verdict in placed.verdicts if verdict.host != host]
    if not others:
        return "there is no other host"
    if len(others) > MOST_NAMED:
        return fold(others)
    return ", ".join(f"{verdict.host} {verdict.why}" for verdict in sorted(others, key=lambda one: one.host))
