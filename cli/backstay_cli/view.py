"""Everything in the cluster that Backstay knows of, read once, as the very World that the operator's planner decides on.

One thing a single look cannot see: how long a lease has been silent. Nobody compares clocks of machines, so here we take the
operator's word for it, from the Host's status.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from backstay_api.client.api import Api, Listing
from backstay_api.client.errors import Forbidden
from backstay_api.objects.kinds import Kind, T
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, HostAssignment, ResourceClaim
from backstay_api.objects.object_kinds import (
    ALL_KINDS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_LEASES,
    HOSTS,
    AnyObject,
    Unreadable,
)
from backstay_api.objects.promise import silent_after_s, suspect_after_s
from backstay_operator.planner.do.decisions import Decision, Slot, decide_in_turn
from backstay_operator.planner.do.rounds import Round
from backstay_operator.planner.know.world import Failed, LeaseSeen, World
from backstay_operator.planner.words import elapsed_s

from .rights import rights_to
from .session import NO_SUCH_THING, Session, Stop

_A_MOMENT_S = 0.001


# Hosts first: what their status says of liveness is needed to read their leases.
_KINDS: Final[tuple[Kind[Any], ...]] = (
    HOSTS,
    HOST_LEASES,
    *(kind for kind in ALL_KINDS if kind not in (HOSTS, HOST_LEASES)),
)
EVERYTHING: Final = [right for kind in _KINDS for right in rights_to("list", kind, kind.home)]
"""What a judgement about a service needs: it looks at all others."""
VIEW: Final = "The role backstay:view, bound in the whole cluster,"


@dataclass
class View:
    """A World, and what could not be read."""

    world: World
    unreadable: list[Unreadable] = field(default_factory=list)
    unseen: list[Kind[Any]] = field(default_factory=list)
    """Kinds that this user may not read."""


async def look(session: Session, namespace: str = "", *, partly: bool = False) -> View:
    """Read everything; services of one namespace only, for who may read no others. `partly`: what may be read, and no more."""
    kinds = [(kind, namespace if kind in (HA_INSTANCES, HA_SERVICES) else kind.home) for kind in _KINDS]
    answers = await asyncio.gather(*(_listed(session.api, kind, where) for kind, where in kinds))
    view = View(World(wall=session.tools.wall()))
    for (kind, _), answer in zip(kinds, answers, strict=True):
        if isinstance(answer, Listing):
            for item in answer.items:
                _put(view, item)
        elif partly:
            view.unseen.append(kind)
        else:
            raise answer
    return view


async def _listed(api: Api, kind: Kind[Any], namespace: str) -> Listing[Any] | Forbidden:
    try:
        return await api.list(kind, namespace)
    except Forbidden as error:
        return error


def _put(view: View, item: AnyObject | Unreadable) -> None:
    world = view.world
    match item:
        case Unreadable():
            view.unreadable.append(item)
            world.unreadable[item.kind, item.key] = item
        case Host():
            world.hosts[item.key] = item
        case HostLease():
            world.leases[item.host] = LeaseSeen(item, first_seen_s=world.now_s - _age_s(world, item))
        case HostAssignment():
            world.put_assignment(item)
        case HAInstance():
            world.put_instance(item)
        case FenceRequest():
            world.put_request(item)
        case ResourceClaim():
            world.put_claim(item)
        case HAService():
            for one in item.status.failures:
                world.failed_s[item.uid, Failed.of(one)] = world.now_s - (elapsed_s(one.at, world.wall) or 0.0)
            world.put_service(item)
        case _:
            assert_never(item)


def _age_s(world: World, lease: HostLease) -> float:
    """Age of the lease's renewal, as far as the operator has said."""
    host = world.hosts.get(lease.host)
    if host is None or host.status.liveness not in ("Suspect", "Silent"):
        return 0.0
    if host.status.liveness == "Suspect":
        return suspect_after_s(lease.contract) + _A_MOMENT_S
    ready = next((one for one in host.status.conditions if one.type == "Ready"), None)
    since_s = elapsed_s(ready.last_transition_time, world.wall) if ready else None
    return silent_after_s(lease.contract) + max(_A_MOMENT_S, since_s or 0.0)


def place_of(session: Session, text: str) -> tuple[str, str]:
    """Namespace and name of a service as people name it: `web`, or `shop/web`."""
    namespace, _, name = text.rpartition("/")
    if not namespace and session.options.all_namespaces:
        raise Stop(f"which namespace? Write it with the name: NAMESPACE/{name}", NO_SUCH_THING)
    return namespace or session.namespace, name


async def service_named(session: Session, text: str) -> HAService:
    """A service as people name it: `web`, or `shop/web`."""
    namespace, name = place_of(session, text)
    return readable(await session.api.get(HA_SERVICES, name, namespace))


async def host_named(api: Api, name: str) -> Host:
    return readable(await api.get(HOSTS, name))


def readable(found: T | Unreadable) -> T:
    """What was found. Stop, with the reason, where it cannot be read."""
    if isinstance(found, Unreadable):
        raise Stop(f"{found.kind} {found.key} cannot be read: {found.why}")
    return found


async def decided(session: Session, text: str) -> tuple[HAService, Round, Decision]:
    """A service as people name it, and what the operator decides about it."""
    named = await service_named(session, text)
    world = (await look(session)).world
    known = world.services.get(named.key, named)
    return known, *decide_in_turn(world, known)


def only_slot(decision: Decision) -> Slot:
    """What is decided about a service that runs once. Stop where nothing of it is left to decide about."""
    if not decision.slots:
        raise Stop(f"{decision.service.key} is being deleted, and nothing of it is left", NO_SUCH_THING)
    return decision.slots[0]
