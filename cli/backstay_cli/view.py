"""Everything in the cluster that Backstay knows of, read once, as the very World that the operator's planner decides on.

One thing a single look cannot see: how long a lease has been silent. Nobody compares clocks of machines, so here we take the
operator's word for it, from the Host's status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_api.client.api import Api, Listing
from backstay_api.client.errors import Forbidden, NotFound
from backstay_api.objects.kinds import CONFIG_MAPS, Kind, T
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import HAInstance, HAService, Host
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
from backstay_operator.planner.know.contents import MISSING, is_of_secret, seen_in, sources
from backstay_operator.planner.know.reading import put
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


async def read_contents(api: Api, world: World, service: HAService) -> None:
    """What ConfigMaps that it names say, as far as this user may read them. Of the rest, and of Secrets, it is judged by what hosts were told
    last."""
    for key in (key for key in sources(service) if not is_of_secret(key)):
        namespace, _, name = key.partition("/")
        try:
            body = await api.get(CONFIG_MAPS, name, namespace)
        except NotFound:
            world.contents.setdefault(key, MISSING)
        except Forbidden:
            continue
        else:
            world.contents.setdefault(key, seen_in(body))


def _put(view: View, item: AnyObject | Unreadable) -> None:
    world = view.world
    match item:
        case Unreadable():
            view.unreadable.append(item)
            world.unreadable[item.kind, item.key] = item
        case Host():
            world.hosts[item.key] = (
                item  # when it was fenced, and its fence path tested, nobody can tell who only looks now
            )
        case HostLease():
            put(world, LeaseSeen(item, first_seen_s=world.now_s - _age_s(world, item)))
        case HAService():
            for one in item.status.failures:
                world.failed_s[item.uid, Failed.of(one)] = world.now_s - (elapsed_s(one.at, world.wall) or 0.0)
            put(world, item)
        case _:
            put(world, item)


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


async def instances_of(session: Session, service: HAService) -> list[HAInstance]:
    """The HAInstances of a service, as far as they may be read."""
    found = await _listed(session.api, HA_INSTANCES, service.metadata.namespace or "")
    there = found.items if isinstance(found, Listing) else ()
    return [one for one in there if isinstance(one, HAInstance) and one.spec.service.uid == service.uid]


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
    await read_contents(session.api, world, known)
    return known, *decide_in_turn(world, known)


def slots_of(decision: Decision, named: str = "") -> Sequence[Slot]:
    """What is decided about its instances: about all, or the one that somebody names, by itself or by the host that it is on.

    Stop where there is none to decide about.
    """
    service = decision.service
    if not decision.slots and decision.is_leaving:
        raise Stop(f"{service.key} is being deleted, and nothing of it is left", NO_SUCH_THING)
    if not decision.slots:
        raise Stop(
            f"{service.key} has no instance: {'; '.join(_why_none(service)) or 'none is wanted yet'}", NO_SUCH_THING
        )
    found = [one for one in decision.slots if named in ("", one.name, one.instance.holder if one.instance else "")]
    if not found:
        raise Stop(f"{service.key} has no instance {named}; there are: {_places(decision)}", NO_SUCH_THING)
    return found


def slot_of(decision: Decision, named: str = "") -> Slot:
    """The one that somebody means. Stop where that is not plain."""
    found = slots_of(decision, named)
    if len(found) > 1:
        raise Stop(f"{decision.service.key} has several copies; say which by --instance: {_places(decision)}")
    return found[0]


def _places(decision: Decision) -> str:
    return ", ".join(f"{one.name} ({(one.instance and one.instance.holder) or 'nowhere'})" for one in decision.slots)


def _why_none(service: HAService) -> list[str]:
    return [one.message for one in service.status.conditions if one.type == "Ready"]
