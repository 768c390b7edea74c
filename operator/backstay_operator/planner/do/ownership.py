"""What must be ours before anything runs, and is given back when nothing does any more: finalizers and claims (PROTOCOL 6).

Taken by creating or by compare-and-swap. Given back only if the API server itself says, just before, that nobody needs it: a
picture of the world may be late, and "there is no instance" is nothing that one can see in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from backstay_api.objects.models import HAInstance, HAService, ResourceClaim
from backstay_api.objects.models.claim import ClaimOwner, HostOwner
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_api.objects.resource_kinds import Claim
from backstay_operator.planner.actions import Action, CreateClaim, DeleteClaim, SetFinalizer, WriteClaim
from backstay_operator.planner.judge import remains
from backstay_operator.planner.judge.copies import are_many
from backstay_operator.planner.know import holdings
from backstay_operator.planner.know.claims import claim_for, on_host, owner_of
from backstay_operator.planner.know.selection import declared
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Alone, Gone, NoInstances, Precondition, as_known, still
from backstay_operator.planner.words import listed

from .finalizers import HOST_FINALIZER, INSTANCE_FINALIZER, SERVICE_FINALIZER, is_ours, marked

Owner = TypeVar("Owner", bound=ClaimOwner)
Owned = Mapping[str, Sequence[str]]
"""Names of claims by the UID of their service."""


def owned(world: World) -> Owned:
    """All claims by their owners."""
    return world.keep("owned", "", tuple(world.claims.values()), lambda: _owned(world))


def _owned(world: World) -> Owned:
    found: dict[str, list[str]] = defaultdict(list)
    for name in sorted(world.claims):
        for uid in holdings.owners(world, world.claims[name]):
            found[uid].append(name)
    return found


# --- taking ----------------------------------------------------------------------------------------------------------


def take(world: World, service: HAService, instances: Sequence[HAInstance]) -> list[Action]:
    """Everything a service must own before any of its instances runs as this manifest says."""
    actions: list[Action] = []
    for key in holdings.keys(world, service):
        if not world.cannot_read(ResourceClaim, key.name):
            actions += _claim(world, service, instances, key)
    return actions


def marks(service: HAService, instances: Sequence[HAInstance]) -> list[SetFinalizer]:
    """Our finalizers, put on, and put back where somebody took them away."""
    why = "nothing is granted before its deletion can wait for the stop"
    on_instances = (action for one in instances for action in marked(one, INSTANCE_FINALIZER, why))
    return [*marked(service, SERVICE_FINALIZER, why), *on_instances]


def _claim(world: World, service: HAService, instances: Sequence[HAInstance], key: Claim) -> list[Action]:
    claim, hosts = world.claims.get(key.name), _hosts_of(world, service, instances)
    only = instances[0] if len(instances) == 1 else None  # of several, each host's is recorded when it is granted
    if claim is None:
        why = f"{service.key} wants {key.text}"
        return [CreateClaim(claim_for(key, service, hosts, only), why)] if hosts or not key.is_on_hosts else []
    known = holdings.on_hosts(world, claim)
    new = [on_host(owner_of(service, only), host) for host in hosts if host not in known] if key.is_on_hosts else []
    if not new:
        return []
    spec = claim.spec.model_copy(update={"hosts": sorted([*(claim.spec.hosts or ()), *new], key=_by_host)})
    return [WriteClaim(claim, spec, f"{service.key} wants {key.text} on {listed([one.host for one in new])}")]


def record(world: World, service: HAService, instance: HAInstance, epoch: int, host: str) -> list[WriteClaim]:
    """What the claims must say before an order of this epoch may name what the present manifest names on this host.

    Whoever gives a claim back names the version that it has seen: so the order and the end of the claim can never both come about.
    """
    mine = owner_of(service, instance, epoch=epoch)
    writes: list[WriteClaim] = []
    for key in holdings.keys(world, service):
        found = holdings.owner(world, key, host)
        if found is None or found.uid != service.uid or _is_recorded(found, mine):
            continue
        claim, noted = world.claims[key.name], _noted(found, mine)
        others = [one for one in claim.spec.hosts or () if one.host != host]
        spec = claim.spec.model_copy(
            update={"hosts": sorted([*others, noted], key=_by_host)} if key.is_on_hosts else {"owner": noted}
        )
        writes.append(WriteClaim(claim, spec, f"epoch {epoch}, revision {mine.revision} may name {key.text}"))
    return writes


def _is_recorded(found: ClaimOwner, mine: ClaimOwner) -> bool:
    return found.instance == mine.instance and found.epoch >= mine.epoch and found.revision >= mine.revision


def _noted(found: Owner, mine: ClaimOwner) -> Owner:
    epoch = max(found.epoch, mine.epoch) if found.instance == mine.instance else mine.epoch
    revision = max(found.revision, mine.revision)
    return found.model_copy(update={"instance": mine.instance, "epoch": epoch, "revision": revision})


def _hosts_of(world: World, service: HAService, instances: Sequence[HAInstance]) -> tuple[str, ...]:
    """Where it may run, or runs although it may not any more: all that any of its instances needs."""
    hosts = declared(world, service)
    holders = (one.holder for one in instances)
    return tuple(dict.fromkeys([*hosts, *filter(None, holders)]))


def _by_host(owner: HostOwner) -> str:
    return owner.host


def not_yet_ours(world: World, service: HAService, instance: HAInstance | None, host: str | None = None) -> str | None:
    """What must still become its own before anything is granted or ordered (on this host), as a sentence."""
    if not is_ours(service, SERVICE_FINALIZER):
        return "its finalizer is being set first"
    if instance is not None and not is_ours(instance, INSTANCE_FINALIZER):
        return f"the finalizer of its HAInstance {instance.metadata.name} is being set first"
    return holdings.not_ours(world, service, host)


def needs_to_run(world: World, service: HAService, instance: HAInstance, host: str) -> tuple[Precondition, ...]:
    """What the API server must say once more before the service is granted to this host."""
    is_there = still(
        service, finalizer=SERVICE_FINALIZER, what_for=f"{service.key} is granted only while it is to stay"
    )
    stays = still(world.hosts[host], finalizer=HOST_FINALIZER, what_for=f"what {host} holds must not vanish with it")
    return (is_there, stays, *_beside_no_other(world, service, instance, host), *holdings.needs(world, service, host))


def _beside_no_other(world: World, service: HAService, instance: HAInstance, host: str) -> tuple[Precondition, ...]:
    """Of several copies: that none has been granted to this host since. Where two are at once, the claims decide (`record`)."""
    if not are_many(world, service):
        return ()
    what_for = f"{host} would have two copies of {service.key}"
    return (Alone(service.metadata.namespace or "", service.uid, host, instance.uid, what_for),)


# --- giving back -----------------------------------------------------------------------------------------------------


def give_back_unused(
    world: World, service: HAService, instances: Sequence[HAInstance], owned: Sequence[str]
) -> list[Action]:
    """Claims that an edit, or the labels of hosts, have made needless, once nothing that needs them can run any more."""
    wanted = {key.name for key in holdings.keys(world, service)}
    is_rid = all(remains.runs_only_this(world, service, one) for one in instances)
    needs, why = _as_known(service, instances), f"{service.key} no longer wants it"
    actions: list[Action] = []
    for claim in (world.claims[name] for name in owned):
        if claim.metadata.name in wanted:
            if left := _left_hosts(world, service, instances, claim):
                none_of_its = [_is_none_of(service, world, one) for one in sorted(left)]
                stays = _its_hosts(claim, service) - left
                actions += _without(claim, service.uid, stays, f"{why} there", (*needs, *none_of_its))
        elif is_rid and not _may_be_named(claim, service, instances):
            actions += _without(claim, service.uid, (), why, needs)
    return actions


def _its_hosts(claim: ResourceClaim, service: HAService) -> set[str]:
    return {one.host for one in claim.spec.hosts or () if one.uid == service.uid}


def _left_hosts(world: World, service: HAService, instances: Sequence[HAInstance], claim: ResourceClaim) -> set[str]:
    """Hosts where it has what it wants, is not to run, and where nothing of it may run any more."""
    hosts = set(_hosts_of(world, service, instances))
    mine = [one for one in claim.spec.hosts or () if one.host not in hosts and one.uid == service.uid]
    return {one.host for one in mine if not _is_needed(world, one, instances)}


def _may_be_named(claim: ResourceClaim, service: HAService, instances: Sequence[HAInstance]) -> bool:
    """Whether an order that is on its way, or as new as the manifest that does without it, may still name it."""
    mine = (one for one in claim.owners if one.uid == service.uid)
    return any(_may_be_ordered(one, instances) or not _is_before(one, service) for one in mine)


def _is_none_of(service: HAService, world: World, host: str) -> Precondition:
    """That the host is still none of the service's: an older picture may lack it, or its labels."""
    what_for, seen = f"{host} may be one of the hosts of {service.key}", world.hosts.get(host)
    return as_known(seen, host, what_for)


def _is_needed(world: World, owner: HostOwner, instances: Sequence[HAInstance]) -> bool:
    """Whether something of it may still run on a host that the service has left, or may come to run there."""
    is_left = any(remains.left_on(world, owner.host, one) for one in instances)
    return is_left or _may_be_ordered(owner, instances)


def _may_be_ordered(owner: ClaimOwner, instances: Sequence[HAInstance]) -> bool:
    """An order of an epoch that we have not seen granted yet may be on its way."""
    return any(owner.instance == one.uid and owner.epoch > one.spec.epoch for one in instances)


def _is_before(owner: ClaimOwner, service: HAService) -> bool:
    """Whether nothing as new as the manifest that does without it may name it."""
    return owner.revision < (service.metadata.generation or 0)


def _as_known(service: HAService, instances: Sequence[HAInstance]) -> tuple[Precondition, ...]:
    """That nothing has changed since; and where it may have more instances than we know of, that it has not."""
    what_for, namespace = f"what {service.key} no longer needs", service.metadata.namespace or ""
    unedited = still(service, same_generation=True, what_for=what_for)
    as_seen = [still(one, same_version=True, what_for=what_for) for one in instances]
    if service.spec.mode == "Single" and len(instances) == 1:
        return unedited, *as_seen
    known = tuple(one.uid for one in instances)
    return unedited, *as_seen, NoInstances(namespace, service.uid, what_for, but=known)


def let_go(world: World, service: HAService, owned: Sequence[str]) -> list[Action]:
    """A service that is being deleted and of which nothing is left: its claims, then our finalizer.

    A unit of which a silent host may still run a copy (of what may run twice) stays claimed there, and outlives the service.
    """
    what_for = f"{service.key} is not gone before all of its instances are"
    needs = (NoInstances(service.metadata.namespace or "", service.uid, what_for),)
    why = f"{service.key} is deleted, and all of it has stopped"
    me = owner_of(service)
    actions = [
        action
        for name in owned
        for action in _without(
            world.claims[name], service.uid, _still_there(world, world.claims[name], me, is_proven=True), why, needs
        )
    ]
    if not actions and is_ours(service, SERVICE_FINALIZER):
        return [SetFinalizer(service, False, "all of it has stopped, and nothing of it is left", needs)]
    return actions


def abandoned(world: World) -> list[Action]:
    """Claims of services that are gone without us, or that outlived them."""
    actions: list[Action] = []
    for claim in _of_strangers(world):
        for gone in [owner for owner in holdings.owners(world, claim).values() if _is_abandoned(world, owner)]:
            what_for = f"a claim is given back when its service {gone.key} is gone"
            needs = (
                Gone(HA_SERVICES.kind, gone.namespace, gone.name, gone.uid, what_for),
                NoInstances(gone.namespace, gone.uid, what_for),
            )
            why = f"its service {gone.key} is gone"
            done = _without(claim, gone.uid, _still_there(world, claim, gone), why, needs)
            if done:
                actions += done
                break  # the next owner's turn comes with the next version
    return actions


def _of_strangers(world: World) -> list[ResourceClaim]:
    """Claims of which an owner is none of the services that are there, by name."""
    there = {(key, one.uid) for key, one in world.services.items()}
    if world.keep("all owners", "", tuple(world.claims.values()), lambda: _owners(world)) <= there:
        return []
    return [claim for _, claim in sorted(world.claims.items())]


def _owners(world: World) -> frozenset[tuple[str, str]]:
    """Key and UID of all that own anything."""
    return frozenset(
        (one.key, one.uid) for claim in world.claims.values() for one in holdings.owners(world, claim).values()
    )


def _is_abandoned(world: World, owner: ClaimOwner) -> bool:
    return not holdings.is_alive(world, owner) and not world.instances_of.get(owner.uid)


def _still_there(world: World, claim: ResourceClaim, owner: ClaimOwner, *, is_proven: bool = False) -> set[str]:
    """Hosts on which something of a service without instances may still run."""
    return {
        one.host
        for one in claim.spec.hosts or ()
        if one.uid == owner.uid and remains.left_of_service(world, one.host, owner, is_proven=is_proven)
    }


def _without(
    claim: ResourceClaim, uid: str, stays: Iterable[str], why: str, needs: tuple[Precondition, ...]
) -> list[Action]:
    """The claim without this owner, but on the hosts where it stays; nothing, if that changes nothing."""
    if claim.spec.owner is not None:
        return [DeleteClaim(claim, why, needs)] if claim.spec.owner.uid == uid and not stays else []
    kept = frozenset(stays)
    hosts = [one for one in claim.spec.hosts or () if one.uid != uid or one.host in kept]
    if hosts == claim.spec.hosts:
        return []
    if not hosts:
        return [DeleteClaim(claim, why, needs)]
    return [WriteClaim(claim, claim.spec.model_copy(update={"hosts": hosts}), why, needs)]
