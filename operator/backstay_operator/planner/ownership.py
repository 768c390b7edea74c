"""What must be ours before anything runs, and is given back when nothing does any more: finalizers and claims (PROTOCOL 6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from backstay_api.models import HAInstance, HAService, Host, ResourceClaim

from .acceptance import claim_keys
from .actions import Action, CreateClaim, DeleteAssignment, DeleteClaim, DeleteLease, SetFinalizer
from .liveness import Liveness, held, of_host
from .world import World

SERVICE_FINALIZER: Final = "backstay.dev/service"
INSTANCE_FINALIZER: Final = "backstay.dev/instance"
HOST_FINALIZER: Final = "backstay.dev/host"


def is_ours(thing: HAService | HAInstance | Host, finalizer: str) -> bool:
    """Whether our finalizer stands on it."""
    return finalizer in (thing.metadata.finalizers or [])


# --- services --------------------------------------------------------------------------------------------------------


def take(world: World, service: HAService) -> list[Action]:
    """Everything an accepted service must own before it runs."""
    actions: list[Action] = []
    if not is_ours(service, SERVICE_FINALIZER):
        actions.append(SetFinalizer(service, True, "nothing is granted before its deletion can wait for the stop"))
    for key in claim_keys(service):
        if key.name not in world.claims:
            actions.append(CreateClaim(key.claim_for(service), f"{service.key} wants {key.text}"))
    return actions


def not_yet_ours(world: World, service: HAService) -> str | None:
    """What must still become its own before anything is granted, as a sentence."""
    if not is_ours(service, SERVICE_FINALIZER):
        return "it is being marked as ours first"
    for key in claim_keys(service):
        claim = world.claims.get(key.name)
        if claim is None or claim.spec.owner.uid != service.uid:
            return f"{key.text} is being claimed first"
    return None


def give_back_unused(world: World, service: HAService, instance: HAInstance | None, owned: list[str]) -> list[Action]:
    """Claims that an edit has made needless, once nothing of the manifest before the edit runs any more."""
    wanted = {key.name for key in claim_keys(service)}
    unused = [name for name in owned if name not in wanted]
    if not unused or not _runs_only_this(world, service, instance):
        return []
    return [DeleteClaim(world.claims[name], f"{service.key} no longer wants it") for name in unused]


def _runs_only_this(world: World, service: HAService, instance: HAInstance | None) -> bool:
    grant = instance.spec.grant if instance else None
    if instance is None or grant is None:
        return True
    assignment = world.assignments.get(grant.host)
    report = assignment.status.instances.get(instance.uid) if assignment else None
    return (
        report is not None
        and report.epoch == instance.spec.epoch
        and report.phase == "Running"
        and report.revision == service.metadata.generation
    )


def let_go(world: World, service: HAService, owned: list[str]) -> list[Action]:
    """A service that is being deleted and of which nothing is left: its claims, then our finalizer."""
    if owned:
        return [
            DeleteClaim(world.claims[name], f"{service.key} is deleted, and all of it has stopped") for name in owned
        ]
    if is_ours(service, SERVICE_FINALIZER):
        return [SetFinalizer(service, False, "all of it has stopped, and nothing of it is left")]
    return []


# --- claims ----------------------------------------------------------------------------------------------------------


def claims_by_owner(world: World) -> Mapping[str, list[str]]:
    """Names of claims by the UID of their service, worked out once a round."""
    owned: dict[str, list[str]] = defaultdict(list)
    for name in sorted(world.claims):
        owned[world.claims[name].spec.owner.uid].append(name)
    return owned


def abandoned(world: World) -> list[Action]:
    """Claims of services that are gone without us."""
    return [
        DeleteClaim(claim, f"its service {claim.spec.owner.namespace}/{claim.spec.owner.name} is gone")
        for _, claim in sorted(world.claims.items())
        if _is_abandoned(world, claim)
    ]


def _is_abandoned(world: World, claim: ResourceClaim) -> bool:
    owner = claim.spec.owner
    key = f"{owner.namespace}/{owner.name}"
    service = world.services.get(key)
    if service is not None and service.uid == owner.uid:
        return False
    return not world.instances_of.get(owner.uid) and ("HAService", key) not in world.unreadable


# --- hosts -----------------------------------------------------------------------------------------------------------


def host_finalizer(world: World, name: str, *, is_needed: bool) -> list[Action]:
    """Our finalizer stands on a host before anything is granted to it, and falls when a removed host holds nothing."""
    host = world.hosts.get(name)
    if host is None:
        return []
    is_set, is_leaving = is_ours(host, HOST_FINALIZER), host.metadata.deletion_timestamp is not None
    if is_needed and not is_set and not is_leaving:
        return [SetFinalizer(host, True, f"{name} may be given a service, and must not vanish while it holds one")]
    if is_set and is_leaving and not held(world, name):
        return [SetFinalizer(host, False, f"{name} holds nothing any more")]
    return []


def of_removed_host(world: World, name: str, *, is_needed: bool) -> list[Action]:
    """What was made for a host that has been removed goes when nothing of it is held, asked or left to be stopped there.

    Another machine may then be added under its name.
    """
    kinds = {kind for kind, key in world.unreadable if kind == "HAInstance" or (kind, key) == ("Host", name)}
    if name in world.hosts or kinds or is_needed or held(world, name) or world.requests_of.get(name):
        return []
    assignment, seen = world.assignments.get(name), world.leases.get(name)
    is_heard = of_host(world, name) in (Liveness.QUIET, Liveness.SUSPECT, Liveness.UNSURE)
    if assignment is not None and assignment.spec.instances and is_heard:
        return []
    why = f"the host {name} has been removed, and it holds nothing"
    actions: list[Action] = [DeleteAssignment(assignment, why)] if assignment is not None else []
    return [*actions, DeleteLease(seen.lease, why)] if seen is not None else actions
