"""May this HAService be carried out at all? If not, one reason in a word and one sentence that says what to change.

Two sorts of checks: what the manifest says by itself (worked out once for each version of it), and who else wants the
same address or unit (looked up in an index, so that ten thousand services cost no more than the few that share something).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.durations import seconds
from backstay_api.objects.models import HAService
from backstay_api.objects.models.claim import ClaimOwner, HostOwner
from backstay_api.objects.models.resources import Resource
from backstay_api.objects.names import instance_name
from backstay_api.objects.probe_kinds import fault_of, may_fail
from backstay_api.objects.quantities import amount
from backstay_api.objects.recovery import policy_of
from backstay_api.objects.resource_kinds import Claim, claims_of, is_address, kinds_in
from backstay_api.objects.sequence import fault, needs
from backstay_operator.planner.know import holdings
from backstay_operator.planner.know.selection import selects, share_a_host
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from . import contradictions
from .contradictions import seniority
from .unsupported import first_unsupported

# Shorter, and the poll itself would be the load; longer, and nobody meant it.
SHORTEST_S: Final = 0.1
LONGEST_S: Final = 24 * 3600.0
# What the API server takes for the name of any object; an HAInstance is named after its service.
_OBJECT_NAME_CHARS: Final = 253
MOST_NAME_CHARS: Final = _OBJECT_NAME_CHARS - len(instance_name(""))


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


def accept(world: World, service: HAService) -> Acceptance:
    """Say whether this service can be carried out."""
    return world.once("accept", (service,), lambda: _accept(world, service))


def _accept(world: World, service: HAService) -> Acceptance:
    faults = (own_fault, _contradicts_another, _address_of_a_host, _claimed_by_another)
    return next((refused for fault in faults if (refused := fault(world, service))), Accepted())


def own_fault(world: World, service: HAService) -> Refused | None:
    """What is wrong with the manifest by itself, whoever else is there."""
    found = (refused for fault in _FAULTS if (refused := fault(service)))
    return world.keep("own_fault", service.key, (service.spec,), lambda: next(found, None))


# --- the manifest by itself ------------------------------------------------------------------------------------------


def _not_supported_yet(service: HAService) -> Refused | None:
    sentence = first_unsupported(service)
    return Refused("NotSupportedYet", sentence) if sentence else None


def _faulty(service: HAService) -> Refused | None:
    for resource in service.spec.resources:
        for kind, spec in kinds_in([resource]):
            if why := kind.fault(spec):
                return Refused(f"Invalid{kind.noun.capitalize()}", f"{_path(resource)}.{why}")
    return None


def _faulty_probe(service: HAService) -> Refused | None:
    for resource in service.spec.resources:
        for probe in resource.probes:
            if why := fault_of(probe):
                return Refused("InvalidProbe", f"spec.resources[{resource.name}].probes[{probe.name}].{why}")
    return None


def _path(resource: Resource) -> str:
    return next(f"spec.resources[{resource.name}].{kind.wire}" for kind, _ in kinds_in([resource]))


def _named_twice(service: HAService) -> Refused | None:
    seen: dict[str, str] = {}
    for resource in service.spec.resources:
        for key in claims_of([resource]):
            first = seen.setdefault(key.name, resource.name)
            if first != resource.name:
                return Refused(
                    "NamedTwice",
                    f"resources {first} and {resource.name} both name {key.text}: one of them has to go,"
                    " since stopping the one would stop the other",
                )
    return None


def _no_order(service: HAService) -> Refused | None:
    why = fault(service.spec.resources)
    return Refused("InvalidAfter", f"spec.resources: {why}") if why else None


def _stands_on_what_may_fail(service: HAService) -> Refused | None:
    """It would be started without what it needs, a database without its disk."""
    resources = service.spec.resources
    for resource, under in zip(resources, needs(resources), strict=True):
        for below in (resources[at] for at in under if not is_address(resource)):
            if may_fail(below):
                return Refused(
                    "InvalidOnFailure",
                    f"spec.resources[{resource.name}] stands on {below.name}, whose onFailure is {below.on_failure}: it would start without it."
                    f" List {below.name} behind it, or say with `after` what {resource.name} stands on",
                )
    return None


def _not_exclusive(service: HAService) -> Refused | None:
    """Two copies of what may run twice would have one address twice as soon as their first host is silent."""
    for resource in service.spec.resources if not service.exclusive else ():
        for key in claims_of([resource]):
            if not key.is_on_hosts:
                thing = key.type.lower()
                return Refused(
                    f"{key.type}NotExclusive",
                    f"{_path(resource)} needs spec.exclusive: true (the default{_of_single(service)}): of a service whose copies may run twice,"
                    f" two hosts would have the {thing} at once; leave the {thing} out, or exclusive",
                )
    return None


def _of_single(service: HAService) -> str:
    return "" if service.spec.mode == "Single" else " of mode Single"


def _one_for_many(service: HAService) -> Refused | None:
    """What there is once in the cluster cannot be on as many hosts as there are copies."""
    for resource in service.spec.resources if service.has_many else ():
        for key in claims_of([resource]):
            if not key.is_on_hosts:
                many = "mode EveryHost" if service.spec.mode == "EveryHost" else f"{service.spec.replicas} replicas"
                return Refused(
                    f"One{key.type}ForMany",
                    f"{_path(resource)}: of {many} each would have {key.text} on its host, and one host at a time can have it;"
                    f" leave the {key.type.lower()} out, or let it be one copy (mode Single)",
                )
    return None


def _long_name(service: HAService) -> Refused | None:
    if len(service.metadata.name) <= MOST_NAME_CHARS:
        return None
    return Refused(
        "NameTooLong",
        f"its name has {len(service.metadata.name)} characters, and what is named after it (its HAInstance, …-0) may have"
        f" {_OBJECT_NAME_CHARS}: choose a name of at most {MOST_NAME_CHARS} characters",
    )


def _contradictory(service: HAService) -> Refused | None:
    why = contradictions.within(service)
    return Refused("ContradictoryRules", why) if why else None


def _bad_amount(service: HAService) -> Refused | None:
    for name, said in sorted((service.spec.placement.capacity or {}).items()):
        if amount(said) is None:
            shall = 'write it as Kubernetes does, and not below zero: 2, "500m", "4Gi"'
            return Refused(
                "InvalidCapacity", f"spec.placement.capacity[{name}] is {said!r}, which is no amount: {shall}"
            )
    return None


def _bad_duration(service: HAService) -> Refused | None:
    for path, text, shortest_s in _all_durations(service):
        if text is not None and not shortest_s <= seconds(text) <= LONGEST_S:
            return Refused("InvalidDuration", f"spec.{path} is {text}: it must lie between {shortest_s:g}s and 24h")
    return None


def _all_durations(service: HAService) -> Iterator[tuple[str, str | None, float]]:
    for resource in service.spec.resources:
        for path, text, shortest_s in _durations(resource):
            yield f"resources[{resource.name}].{path}", text, shortest_s
    if recovery := service.spec.recovery:
        yield "recovery.window", recovery.window, SHORTEST_S
        yield "recovery.rebootGrace", recovery.reboot_grace, 0.0
        yield "recovery.moves.per", recovery.moves.per if recovery.moves else None, SHORTEST_S
        if backoff := recovery.backoff:
            yield "recovery.backoff.initial", backoff.initial, SHORTEST_S
            yield "recovery.backoff.max", backoff.max, SHORTEST_S


def _never_moves(service: HAService) -> Refused | None:
    """Restarts so far apart that the first is forgotten before the last would never be used up: what fails for ever would stay."""
    policy = policy_of(service.spec.recovery)
    if policy.longest_s < policy.first_s:
        return Refused(
            "InvalidBackoff", "spec.recovery.backoff.max is shorter than backoff.initial: it is the longest pause"
        )
    if policy.lasts_s() < policy.window_s:
        return None
    return Refused(
        "RestartsNeverUsedUp",
        f"spec.recovery: {policy.restarts} restarts with these pauses take {policy.lasts_s():g}s at least, so they are never used"
        f" up within the window of {policy.window}, and it would never move: fewer restarts, shorter pauses or a longer window",
    )


def _durations(resource: Resource) -> Iterator[tuple[str, str | None, float]]:
    if resource.timeouts:
        yield "timeouts.start", resource.timeouts.start, SHORTEST_S
        yield "timeouts.stop", resource.timeouts.stop, SHORTEST_S
        yield "timeouts.check", resource.timeouts.check, SHORTEST_S
    for probe in resource.probes or []:
        yield f"probes[{probe.name}].period", probe.period, SHORTEST_S
        # A probe of the loopback address may well be given less than the shortest period.
        yield f"probes[{probe.name}].timeout", probe.timeout, SHORTEST_S / 10
        yield f"probes[{probe.name}].initialDelay", probe.initial_delay, 0.0


_FAULTS: Final[Sequence[Callable[[HAService], Refused | None]]] = (
    _long_name,
    _not_supported_yet,
    _one_for_many,
    _not_exclusive,
    _faulty,
    _faulty_probe,
    _named_twice,
    _contradictory,
    _bad_amount,
    _no_order,
    _stands_on_what_may_fail,
    _bad_duration,
    _never_moves,
)


# --- who else wants it -----------------------------------------------------------------------------------------------


def _contradicts_another(world: World, service: HAService) -> Refused | None:
    why = contradictions.with_older(world, service)
    return Refused("ContradictoryRules", why) if why else None


def _address_of_a_host(world: World, service: HAService) -> Refused | None:
    """An address that a host calls its own is nobody's to move, wherever that host is now.

    Once the claim is ours it stays so: what runs is not taken down for an address that somebody has added to a host since.
    """
    for key in holdings.keys(world, service):
        hosts = holdings.own_of_hosts(world, key)
        owner = holdings.owner(world, key, "")
        if hosts and (owner is None or owner.uid != service.uid):
            path = next(_path(resource) for resource in service.spec.resources if key in claims_of([resource]))
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
        and not own_fault(world, rival)
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
