"""What is amiss with a service on hosts that it does not run on: units that are still held there, addresses that are theirs."""

from __future__ import annotations

from backstay_api.models import HAService

from . import placement
from .claims import canonical_address
from .conditions import Finding
from .words import first_words, listed
from .world import World


def held_units(world: World, service: HAService) -> Finding | None:
    """What hosts that may not run it any more keep from starting by itself all the same, and why; nothing, if there is none."""
    said: list[str] = []
    candidates = placement.candidates(world, service) if world.held_on else ()
    for unit in [one.systemd.unit for one in service.spec.resources if one.systemd is not None]:
        for host in sorted(world.held_on.get(unit, set()).difference(candidates)):
            why = next(one.why for one in world.assignments[host].status.held if one.unit == unit)
            said.append(f"{host} still holds {unit}, though it may not run it any more: {first_words(why)}")
    return Finding("UnitsHeld", True, "NotGivenBack", listed(said, most=3)) if said else None


def address_of_a_host(world: World, service: HAService) -> str:
    """An address of the service that a host has come to call its own since it was claimed, as a sentence."""
    for resource in service.spec.resources:
        address = canonical_address(resource.virtual_ip.address) if resource.virtual_ip else ""
        if hosts := sorted(world.own_addresses.get(address, ())):
            return f"{address} is {listed(hosts)}'s own address too: clients may reach either; take it away there, or choose another"
    return ""
