"""May this HAService be carried out at all? If not, one reason in a word and one sentence that says what to change.

Two sorts of checks: what the manifest says by itself (worked out once for each version of it), and who else wants the
same address or unit (looked up in an index, so that ten thousand services cost no more than the few that share something).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.durations import seconds
from backstay_api.objects.models import HAService
from backstay_api.objects.models.claim import ClaimOwner, HostOwner
from backstay_api.objects.models.resources import Resource
from backstay_operator.planner.know import holdings
from backstay_operator.planner.know.claims import ClaimKey, canonical_address, claim_keys, keys_of
from backstay_operator.planner.know.selection import declared, share_a_host
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from .unsupported import first_unsupported

__all__ = ["Acceptance", "Accepted", "ClaimKey", "Refused", "accept", "claim_keys"]

# Shorter, and the poll itself would be the load; longer, and nobody meant it.
SHORTEST_S: Final = 0.1
LONGEST_S: Final = 24 * 3600.0
# What the API server takes for the name of any object; an HAInstance is named `<service>-0`.
_OBJECT_NAME_CHARS: Final = 253
MOST_NAME_CHARS: Final = _OBJECT_NAME_CHARS - len("-0")


@dataclass(frozen=True)
class Accepted:
    """It can be carried out, once these things are its own."""

    claims: tuple[ClaimKey, ...] = ()


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
    refused = own_fault(world, service) or _address_of_a_host(world, service) or _claimed_by_another(world, service)
    return refused or Accepted(holdings.keys(world, service))


def own_fault(world: World, service: HAService) -> Refused | None:
    """What is wrong with the manifest by itself, whoever else is there."""
    return world.keep("own_fault", service.key, (service.spec,), lambda: _first_fault(service))


def _first_fault(service: HAService) -> Refused | None:
    return next((refused for fault in _FAULTS if (refused := fault(service))), None)


# --- the manifest by itself ------------------------------------------------------------------------------------------


def _not_supported_yet(service: HAService) -> Refused | None:
    sentence = first_unsupported(service)
    return Refused("NotSupportedYet", sentence) if sentence else None


def _bad_address(service: HAService) -> Refused | None:
    for resource in service.spec.resources:
        why = _what_is_wrong_with(resource.virtual_ip.address) if resource.virtual_ip else ""
        if why:
            return Refused("InvalidAddress", f"spec.resources[{resource.name}].virtualIP.address: {why}")
    return None


def _what_is_wrong_with(cidr: str) -> str:
    interface = ipaddress.ip_interface(cidr)
    address, network = interface.ip, interface.network
    if network.prefixlen == 0:
        return f"{cidr}: /0 is no subnet but every address there is: give the prefix length of the hosts' subnet"
    if not _is_unicast(address):
        return f"{cidr} is not a unicast address that can move between hosts: choose a unicast address of the hosts' subnet"
    room = network.max_prefixlen - network.prefixlen
    if room > 1 and address == network.network_address:
        return f"{cidr} is the address of the subnet itself: choose one inside it"
    if room > 1 and network.version == 4 and address == network.broadcast_address:
        return f"{cidr} is the broadcast address of its subnet: choose one inside it"
    return ""


def _is_unicast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether one machine can have it on a network. Of v4, 0/8 is the sender itself, and what stands from 240/4 on is nobody's."""
    if address.version == 4 and (address.packed[0] == 0 or address.is_reserved):
        return False
    return not (address.is_unspecified or address.is_multicast or address.is_loopback)


def _named_twice(service: HAService) -> Refused | None:
    seen: dict[str, str] = {}
    for resource in service.spec.resources:
        for key in keys_of([resource]):
            first = seen.setdefault(key.name, resource.name)
            if first != resource.name:
                return Refused(
                    "NamedTwice",
                    f"resources {first} and {resource.name} both name {key.text}: one of them has to go,"
                    " since stopping the one would stop the other",
                )
    return None


def _shared_address(service: HAService) -> Refused | None:
    """Two copies of what may run twice would have one address twice as soon as their first host is silent."""
    for resource in service.spec.resources:
        if resource.virtual_ip and not service.exclusive:
            return Refused(
                "AddressNotExclusive",
                f"spec.resources[{resource.name}].virtualIP needs spec.exclusive: true (the default): of a service whose copies may"
                " run twice, two hosts would have the address at once; leave the address out, or exclusive",
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


def _bad_duration(service: HAService) -> Refused | None:
    for resource in service.spec.resources:
        for path, text, shortest_s in _durations(resource):
            if text is not None and not shortest_s <= seconds(text) <= LONGEST_S:
                return Refused(
                    "InvalidDuration",
                    f"spec.resources[{resource.name}].{path} is {text}: it must lie between {shortest_s:g}s and 24h",
                )
    return None


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
    _shared_address,
    _bad_address,
    _named_twice,
    _bad_duration,
)


# --- who else wants it -----------------------------------------------------------------------------------------------


def _address_of_a_host(world: World, service: HAService) -> Refused | None:
    """An address that a host calls its own is nobody's to move, wherever that host is now.

    Once the claim is ours it stays so: what runs is not taken down for an address that somebody has added to a host since.
    """
    for resource in service.spec.resources:
        address = canonical_address(resource.virtual_ip.address) if resource.virtual_ip else ""
        hosts = sorted(world.own_addresses.get(address, ()))
        if hosts and not _is_its_own(world, service, address):
            return Refused(
                "AddressOfAHost",
                f"spec.resources[{resource.name}].virtualIP.address: {address} is {listed(hosts)}'s own address:"
                " choose one that no host has",
            )
    return None


def _is_its_own(world: World, service: HAService, address: str) -> bool:
    found = holdings.owner(world, ClaimKey("Address", address), "")
    return found is not None and found.uid == service.uid


def _claimed_by_another(world: World, service: HAService) -> Refused | None:
    for key in holdings.keys(world, service):
        refused = _unit_of_another(world, service, key) if key.is_on_hosts else _address_of_another(world, service, key)
        if refused:
            return refused
    return None


def _address_of_another(world: World, service: HAService, key: ClaimKey) -> Refused | None:
    claim = world.claims.get(key.name)
    if claim is not None and claim.spec.owner is not None:
        return None if claim.spec.owner.uid == service.uid else _taken(key.text, claim.spec.owner.key)
    rival = _first_rival(world, service, key)
    return _taken(key.text, rival.key) if rival else None


def _unit_of_another(world: World, service: HAService, key: ClaimKey) -> Refused | None:
    """One that another has on a common host; but who has it anywhere keeps it there, and only the contested hosts are none of its.

    Labels move, and no service is refused for that.
    """
    claim = world.claims.get(key.name)
    here = holdings.on_hosts(world, claim) if claim is not None else {}
    if any(owner.uid == service.uid for owner in here.values()):
        return None
    for host in declared(world, service) if here else ():
        owner = here.get(host)
        if owner is not None and holdings.is_alive(world, owner):
            return _taken(key.text, owner.key, " on hosts that both may use")
    rival = _first_rival(world, service, key)
    return _taken(key.text, rival.key, " on hosts that both may use") if rival else None


def _taken(thing: str, owner: str, where: str = "") -> Refused:
    return Refused(
        "AlreadyClaimed",
        f"{thing} belongs to the HAService {owner}{where}: only one service can have it;"
        " change this one, or delete the other",
    )


def _first_rival(world: World, service: HAService, key: ClaimKey) -> HAService | None:
    """The oldest service that wants the same thing and came before this one. One that is refused anyway takes nothing."""
    rivals = [world.services[one] for one in world.wanted_by.get(key.name, set()) - {service.key}]
    older = [
        rival
        for rival in rivals
        if _seniority(rival) < _seniority(service)
        and not own_fault(world, rival)
        and not _is_kept_out(world, rival)
        and (not key.is_on_hosts or share_a_host(world, rival, service))
    ]
    return min(older, key=_seniority, default=None)


def _is_kept_out(world: World, rival: HAService) -> bool:
    """Whether somebody else has what this one wants: it takes nothing before that is over."""
    for key in holdings.keys(world, rival):
        claim = world.claims.get(key.name)
        known = list(claim.owners) if claim is not None else []
        others = [owner for owner in known if owner.uid != rival.uid]
        if others and len(others) == len(known) and any(_hinders(world, rival, key, owner) for owner in others):
            return True
    return False


def _hinders(world: World, rival: HAService, key: ClaimKey, owner: ClaimOwner) -> bool:
    return not key.is_on_hosts or (isinstance(owner, HostOwner) and owner.host in declared(world, rival))


def _seniority(service: HAService) -> tuple[str, str]:
    # The API server's own time, written once and in one form, so that all replicas agree. The clock is only its, not ours.
    return (service.metadata.creation_timestamp or "", service.uid)
