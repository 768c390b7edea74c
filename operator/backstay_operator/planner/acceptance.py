"""May this HAService be carried out at all? If not, one reason in a word and one sentence that says what to change.

Two sorts of checks: what the manifest says by itself (worked out once for each version of it), and who else wants the
same address or unit (looked up in an index, so that ten thousand services cost no more than the few that share something).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backstay_api.durations import seconds
from backstay_api.models import HAService
from backstay_api.models.resources import Resource

from .claims import ClaimKey, claim_keys, host_things
from .unsupported import first_unsupported
from .world import World

__all__ = ["Acceptance", "Accepted", "ClaimKey", "Refused", "accept", "claim_keys"]

# Shorter, and the poll itself would be the load; longer, and nobody meant it.
SHORTEST_S: Final = 0.1
LONGEST_S: Final = 24 * 3600.0


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
    refused = own_fault(world, service) or _claimed_by_another(world, service) or _unit_of_another(world, service)
    return refused or Accepted(claim_keys(service))


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
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        return f"{cidr} is no address that one host of several can have: choose a unicast address of the hosts' subnet"
    room = network.max_prefixlen - network.prefixlen
    if room > 1 and address == network.network_address:
        return f"{cidr} is the address of the subnet itself: choose one inside it"
    if room > 1 and network.version == 4 and address == network.broadcast_address:
        return f"{cidr} is the broadcast address of its subnet: choose one inside it"
    return ""


def _named_twice(service: HAService) -> Refused | None:
    seen: dict[str, str] = {}
    for resource in service.spec.resources:
        for thing, words in _things_of(resource):
            first = seen.setdefault(thing, resource.name)
            if first != resource.name:
                return Refused(
                    "NamedTwice",
                    f"resources {first} and {resource.name} both name {words}: one of them has to go,"
                    " since stopping the one would stop the other",
                )
    return None


def _things_of(resource: Resource) -> Iterator[tuple[str, str]]:
    """What a service can name only once: its key, and how people say it."""
    yield from host_things(resource)
    if resource.virtual_ip:
        ip = ipaddress.ip_interface(resource.virtual_ip.address).ip
        yield f"address/{ip}", f"address {ip}"


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
    _not_supported_yet,
    _bad_address,
    _named_twice,
    _bad_duration,
)


# --- who else wants it -----------------------------------------------------------------------------------------------


def _claimed_by_another(world: World, service: HAService) -> Refused | None:
    for key in claim_keys(service):
        claim = world.claims.get(key.name)
        if claim is not None and claim.spec.owner.uid != service.uid:
            owner = f"{claim.spec.owner.namespace}/{claim.spec.owner.name}"
            return _taken(key.text, owner)
        rival = _first_rival(world, service, key.name) if claim is None else None
        if rival:
            return _taken(key.text, rival.key)
    return None


def _unit_of_another(world: World, service: HAService) -> Refused | None:
    for resource in service.spec.resources:
        for thing, words in host_things(resource):
            rival = _first_rival(world, service, thing, on_a_common_host=True)
            if rival:
                return _taken(words, rival.key, " on hosts that both may use")
    return None


def _taken(thing: str, owner: str, where: str = "") -> Refused:
    return Refused(
        "AlreadyClaimed",
        f"{thing} belongs to the HAService {owner}{where}: only one service can have it;"
        " change this one, or delete the other",
    )


def _first_rival(world: World, service: HAService, thing: str, *, on_a_common_host: bool = False) -> HAService | None:
    """The oldest service that wants the same thing and came before this one. One that is refused anyway takes nothing."""
    keys = world.wanted_by.get(thing, set()) - {service.key}
    rivals = [world.services[key] for key in keys]
    older = [rival for rival in rivals if _seniority(rival) < _seniority(service) and not own_fault(world, rival)]
    if on_a_common_host:
        older = [rival for rival in older if _share_a_host(world, rival, service)]
    return min(older, key=_seniority, default=None)


def _seniority(service: HAService) -> tuple[str, str]:
    # The API server's own time, written once and in one form, so that all replicas agree. The clock is only its, not ours.
    return (service.metadata.creation_timestamp or "", service.uid)


def _share_a_host(world: World, one: HAService, other: HAService) -> bool:
    wanted = [*_labels_wanted(one), *_labels_wanted(other)]
    if len(dict(wanted)) < len(set(wanted)):
        return False  # they want different values of the same label
    return any(
        all((host.metadata.labels or {}).get(key) == value for key, value in wanted) for host in world.hosts.values()
    )


def _labels_wanted(service: HAService) -> list[tuple[str, str]]:
    hosts = service.spec.placement.hosts
    return list(hosts.match_labels.items()) if hosts else []
