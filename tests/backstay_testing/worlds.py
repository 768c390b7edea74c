"""Worlds for planner tests, in a few words: hosts, what they say, and what befalls them. The objects come from `builders.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import fields, replace
from typing import Any, Literal

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAInstance, HAService, HostAssignment
from backstay_api.objects.models.assignment import InstanceOrder
from backstay_api.objects.models.instance import SessionRef
from backstay_operator.planner.do.finalizers import HOST_FINALIZER, INSTANCE_FINALIZER, SERVICE_FINALIZER
from backstay_operator.planner.do.orders import rendered
from backstay_operator.planner.know.world import LeaseSeen, World

from .builders import (
    WALL,
    a_host,
    a_lease,
    agent_session,
    an_assignment,
    an_instance,
    an_order,
    claims,
    machine,
    marked,
    session,
)

NOW_S = 5000.0
SILENT_S = 30.0
"""Of a host that is silent by any profile."""

Befall = Callable[[World], object]
"""Something that happens in a world: a row of a table is often one of these, and what is decided then."""


def own_copy(world: World) -> World:
    """The same objects, with nothing kept: what is done to it is done to nobody else's."""
    known = {one.name: _own(getattr(world, one.name)) for one in fields(World) if one.name != "kept"}
    return replace(world, **known, kept=defaultdict(dict))


def _own(value: Any) -> Any:
    mine = copy(value) if isinstance(value, dict | set) else value
    if isinstance(mine, dict):
        mine.update((key, set(one)) for key, one in value.items() if isinstance(one, set))
    return mine


def nothing(world: World) -> None:
    """As it was built."""


def all_of(*befalls: Befall) -> Befall:
    """One thing after the other."""

    def befall(world: World) -> None:
        for each in befalls:
            each(world)

    return befall


# --- hosts -----------------------------------------------------------------------------------------------------------


def a_world(*names: str) -> World:
    """Live hosts, with nothing on them."""
    world = World(now_s=NOW_S, wall=WALL)
    for name in names:
        add_host(world, name)
    return world


def add_host(
    world: World,
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    mode: str = "",
    reason: str = "new disks",
    has_device: bool = False,
    after: Literal["On", "StayOff"] = "On",
    silent_s: float = 0.0,
    taints: Sequence[str] = (),
    capacity: Mapping[str, object] | None = None,
) -> None:
    """A host whose agent lives and has said nothing about services; or that has been silent for so long."""
    host = a_host(
        name,
        labels=labels,
        mode=mode,
        reason=reason,
        has_device=has_device,
        after=after,
        taints=taints,
        capacity=capacity,
    )
    world.hosts[name] = host
    world.put_assignment(an_assignment(name, speaks=agent_session(session(name), machine(name))))
    world.leases[name] = LeaseSeen(a_lease(name), first_seen_s=world.now_s - silent_s)


def silence(world: World, host: str, for_s: float = SILENT_S) -> None:
    """It has not renewed for so long."""
    world.leases[host] = replace(world.leases[host], first_seen_s=world.now_s - for_s)


def seal(world: World, host: str, *, ago_s: float | None = None) -> None:
    """Its Lease is sealed; `ago_s`: and we saw it so long ago."""
    seen = world.leases[host]
    sealed_s = seen.sealed_seen_s if ago_s is None else world.now_s - ago_s
    world.leases[host] = LeaseSeen(seen.lease.sealed_(), seen.first_seen_s, sealed_s, seen.moved_s)


def renew(world: World, host: str) -> None:
    """It renews a second after whatever happened before."""
    world.now_s += 1.0
    world.leases[host] = replace(world.leases[host], first_seen_s=world.now_s, moved_s=world.now_s)


def hold(world: World, host: str, of: SessionRef) -> None:
    """Another session holds its Lease."""
    seen = world.leases[host]
    world.leases[host] = replace(seen, lease=replace(seen.lease, holder=of.text, seq=of.seq))


def hold_by_nobody(world: World, host: str) -> None:
    """Nobody has ever held its Lease."""
    seen = world.leases[host]
    world.leases[host] = replace(seen, lease=replace(seen.lease, holder="", seq=0))


def speak(world: World, host: str, of: SessionRef, *, on_machine: str = "", supersedes: Sequence[str] = ()) -> None:
    """This session reports for the host."""
    said = agent_session(of, on_machine or machine(host), supersedes)
    amend(world, host, "status", {"session": said.wire()})


def shut_down(world: World, host: str, how: str = "reboot", type_: str = "Reboot") -> None:
    """Its agent has said that the machine shuts down."""
    amend(world, host, "status", {"shuttingDown": how, "shutdownType": type_})


def find(world: World, host: str, *problems: Raw) -> None:
    """Its own checks have found this."""
    amend(world, host, "status", {"problems": list(problems)})


def refuse_renewals(world: World, host: str, why: str) -> None:
    """Its agent says why its Lease is not renewed."""
    amend(world, host, "status", {"renewalRefused": why})


def know_only(world: World, host: str, *features: str, version: str = "0.0.9") -> None:
    """Its agent lists what it knows."""
    amend(world, host, "status", {"facts": {"agentVersion": version, "features": features}})


def amend(world: World, host: str, part: Literal["spec", "status"], news: Raw) -> None:
    raw = world.assignments[host].wire()
    world.put_assignment(HostAssignment.from_wire({**raw, part: {**raw.get(part, {}), **news}}))


# --- services --------------------------------------------------------------------------------------------------------


def put(world: World, service: HAService, *, epoch: int = 0, host: str | None = None) -> HAInstance:
    """The service and its instance, as `an_instance`."""
    world.put_service(service)
    instance = an_instance(service, epoch=epoch, host=host)
    world.put_instance(instance)
    return instance


def make_ours(world: World) -> None:
    """All that a grant needs is there: our finalizers on everything, and claims on every host for what services name."""
    for name, host in world.hosts.items():
        world.hosts[name] = marked(host, HOST_FINALIZER)
    for instance in list(world.instances.values()):
        world.put_instance(marked(instance, INSTANCE_FINALIZER))
    for key, service in world.services.items():
        world.services[key] = marked(service, SERVICE_FINALIZER)
        own(world, service)


def own(world: World, service: HAService, *, epoch: int | None = None, revision: int = 0) -> None:
    """Claims for what a service names, on every host."""
    instance = world.instance_of(service, service.slots[0])
    for claim in claims(service, *sorted(world.hosts), instance=instance, epoch=epoch, revision=revision):
        world.claims[claim.key] = claim


def tell(world: World, host: str, instance: HAInstance, order: InstanceOrder) -> None:
    """The host has been told this about the instance."""
    raw = world.assignments[host].wire()["spec"].get("instances", {})
    amend(world, host, "spec", {"instances": {**raw, instance.uid: order.wire()}})


def say_ready(
    world: World, service: HAService, *hosts: str, uid: str = "", slot: int = 0, ready: bool = True, **says: object
) -> None:
    """These hosts have been asked about the service at its present generation, and have answered: `says` is what a StandbyReport may say."""
    revision, name = service.metadata.generation, service.slots[slot]
    said = {"ready": ready, "revision": revision, **says}
    order = {"namespace": service.metadata.namespace, "name": name, "revision": revision}
    for host in hosts:
        raw, of = world.assignments[host].wire(), uid or f"uid-{name}"
        amend(world, host, "status", {"standbys": {**raw["status"].get("standbys", {}), of: said}})
        amend(world, host, "spec", {"standbys": {**raw["spec"].get("standbys", {}), of: order}})


def say_seen(
    world: World,
    service: HAService,
    host: str,
    *findings: Raw,
    revision: int | None = None,
    slot: int = 0,
    uid: str = "",
) -> None:
    """The host has looked at the prerequisites: `{"name": "conf", "facts": {"content": "a"}}`, `{"name": "conf", "why": "is missing"}`."""
    raw, of = world.assignments[host].wire()["status"].get("prerequisites", {}), uid or f"uid-{service.slots[slot]}"
    said = {"revision": service.metadata.generation if revision is None else revision, "findings": list(findings)}
    amend(world, host, "status", {"prerequisites": {**raw, of: said}})


def report(
    world: World,
    service: HAService,
    host: str,
    phase: str,
    /,
    *,
    epoch: int,
    uid: str = "",
    slot: int = 0,
    **more: object,
) -> None:
    """The host says what it does about the service's instance."""
    name = service.slots[slot]
    whose = {"namespace": service.metadata.namespace, "name": name, "service": service.metadata.name}
    said = {**whose, "epoch": epoch, "phase": phase}
    known = world.assignments[host].wire()["status"].get("instances", {})
    entry = {"revision": service.metadata.generation, **said, **more}
    amend(world, host, "status", {"instances": {**known, uid or f"uid-{name}": entry}})


def running(world: World, service: HAService, host: str = "n1", *, epoch: int = 2) -> HAInstance:
    """It runs there at this epoch, as ordered; all other hosts are ready for it, and all that it needs is its own."""
    put(world, service, epoch=epoch, host=host)
    make_ours(world)
    (slot,) = service.slots
    instance = world.instances[f"{service.metadata.namespace}/{slot}"]
    generation = service.metadata.generation or 0
    tell(
        world,
        host,
        instance,
        an_order(instance, revision=generation, resources=[one.wire() for one in rendered(service)]),
    )
    report(world, service, host, "Running", epoch=epoch)
    say_ready(world, service, *(name for name in world.hosts if name != host))
    return instance
