"""May this HAService be carried out at all? If not, one reason in a word and one sentence that says what to change.

Two sorts of checks: what the manifest says by itself (worked out once for each version of it), and who else wants the
same address or unit (looked up in an index, so that ten thousand services cost no more than the few that share something).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backstay_api.objects.models import HAService
from backstay_api.objects.models.claim import ClaimOwner, HostOwner
from backstay_api.objects.resource_kinds import Claim, claims_of
from backstay_operator.planner.know import dependencies, holdings
from backstay_operator.planner.know.contents import sources
from backstay_operator.planner.know.selection import selects, share_a_host
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from . import contents, contradictions, service_classes
from .contradictions import seniority
from .manifest_faults import first_fault, path_of

NOT_ALLOWED: Final = "NotAllowed"


@dataclass(frozen=True)
class Accepted:
    """It can be carried out, once all that it claims is its own."""


@dataclass(frozen=True)
class Refused:
    """It is not carried out. What ran before goes on as it was."""

    reason: str
    """One CamelCase word, for the condition."""
    message: str
    """A sentence: what is wrong, and where."""


Acceptance = Accepted | Refused


def is_to_stop(service: HAService, acceptance: Acceptance) -> bool:
    """Whether its manifest stops it: that is done too where a class came to refuse what it brings, for to stop brings nothing."""
    is_its_own_matter = isinstance(acceptance, Accepted) or acceptance.reason == NOT_ALLOWED
    return service.spec.state == "Stopped" and is_its_own_matter


def priority_of(world: World, service: HAService) -> int:
    """How important it is: of a manifest that its classes do not allow, not at all."""
    said = service.spec.placement.priority or 0
    found = accept(world, service) if said > 0 else None
    return 0 if isinstance(found, Refused) and found.reason == NOT_ALLOWED else said


def accept(world: World, service: HAService) -> Acceptance:
    """Say whether this service can be carried out."""
    return world.once("accept", (service,), lambda: _accept(world, service))


def _accept(world: World, service: HAService) -> Acceptance:
    faults = (
        refused_alone,
        _in_a_cycle,
        _contradicts_another,
        _address_of_a_host,
        _claimed_by_another,
    )
    return next((refused for fault in faults if (refused := fault(world, service))), Accepted())


def own_fault(world: World, service: HAService) -> Refused | None:
    """What is wrong with the manifest by itself, whoever else is there."""
    return world.keep("own_fault", service.key, (service.spec,), lambda: _own_fault(service))


def _own_fault(service: HAService) -> Refused | None:
    found = first_fault(service)
    return Refused(*found) if found else None


def refused_alone(world: World, service: HAService) -> Refused | None:
    """What is wrong with it, not allowed, or not to be had, whatever other services are there."""
    if fault := own_fault(world, service):
        return fault
    if why := service_classes.refusal(world, service):
        return Refused(NOT_ALLOWED, why)
    never_had = contents.never_had(world, service) if sources(service) else None
    return Refused(*never_had) if never_had else None


# --- who else wants it -----------------------------------------------------------------------------------------------


def _contradicts_another(world: World, service: HAService) -> Refused | None:
    why = contradictions.with_older(world, service)
    return Refused("ContradictoryRules", why) if why else None


def _in_a_cycle(world: World, service: HAService) -> Refused | None:
    """All of it are refused, and nobody else: whoever merely depends on one of them waits."""
    way = dependencies.cycles(world).get(service.key) if service.spec.depends_on else None
    if way is None:
        return None
    told = " -> ".join(way)
    return Refused(
        "DependencyCycle",
        f"spec.dependsOn makes a cycle, in which none could be the first to start: {told}; take one dependency out of it",
    )


def _address_of_a_host(world: World, service: HAService) -> Refused | None:
    """An address that a host calls its own is nobody's to move, wherever that host is now.

    Once the claim is ours it stays so: what runs is not taken down for an address that somebody has added to a host since.
    """
    for key in holdings.keys(world, service):
        hosts = holdings.own_of_hosts(world, key)
        owner = holdings.owner(world, key, "")
        if hosts and (owner is None or owner.uid != service.uid):
            path = next(path_of(resource) for resource in service.spec.resources if key in claims_of([resource]))
            return Refused(
                "AddressOfAHost", f"{path}: {key.key} is {listed(hosts)}'s own address: choose one that no host has"
            )
    return None


def _claimed_by_another(world: World, service: HAService) -> Refused | None:
    for key in holdings.keys(world, service):
        refused = _unit_of_another(world, service, key) if key.is_on_hosts else _address_of_another(world, service, key)
        if refused:
            return refused
    return None


def _address_of_another(world: World, service: HAService, key: Claim) -> Refused | None:
    claim = world.claims.get(key.name)
    if claim is not None and claim.spec.owner is not None:
        return None if claim.spec.owner.uid == service.uid else _taken(key.text, claim.spec.owner.key)
    rival = _first_rival(world, service, key)
    return _taken(key.text, rival.key) if rival else None


def _unit_of_another(world: World, service: HAService, key: Claim) -> Refused | None:
    """One that another has on a common host; but who has it anywhere keeps it there, and only the contested hosts are none of its.

    Labels move, and no service is refused for that.
    """
    claim = world.claims.get(key.name)
    here = holdings.on_hosts(world, claim) if claim is not None else {}
    if any(owner.uid == service.uid for owner in here.values()):
        return None
    for _, owner in sorted(here.items()):
        if _hinders(world, service, key, owner) and holdings.is_alive(world, owner):
            return _taken(key.text, owner.key, " on hosts that both may use")
    rival = _first_rival(world, service, key)
    return _taken(key.text, rival.key, " on hosts that both may use") if rival else None


def _taken(thing: str, owner: str, where: str = "") -> Refused:
    return Refused(
        "AlreadyClaimed",
        f"{thing} belongs to the HAService {owner}{where}: only one service can have it;"
        " change this one, or delete the other",
    )


def _first_rival(world: World, service: HAService, key: Claim) -> HAService | None:
    """The oldest service that wants the same thing and came before this one. One that is refused anyway takes nothing."""
    rivals = [world.services[one] for one in world.wanted_by.get(key.name, set()) - {service.key}]
    older = [
        rival
        for rival in rivals
        if seniority(rival) < seniority(service)
        and not refused_alone(world, rival)
        and not _is_kept_out(world, rival)
        and (not key.is_on_hosts or share_a_host(world, rival, service))
    ]
    return min(older, key=seniority, default=None)


def _is_kept_out(world: World, rival: HAService) -> bool:
    """Whether somebody else has what this one wants: it takes nothing before that is over."""
    for key in holdings.keys(world, rival):
        claim = world.claims.get(key.name)
        known = list(claim.owners) if claim is not None else []
        others = [owner for owner in known if owner.uid != rival.uid]
        if others and len(others) == len(known) and any(_hinders(world, rival, key, owner) for owner in others):
            return True
    return False


def _hinders(world: World, rival: HAService, key: Claim, owner: ClaimOwner) -> bool:
    # A host that is being removed counts: what runs there is still the other's.
    host = world.hosts.get(owner.host) if isinstance(owner, HostOwner) else None
    return not key.is_on_hosts or (host is not None and selects(rival, host))
