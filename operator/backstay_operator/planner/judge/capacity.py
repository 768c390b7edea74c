"""Whether a host has enough left of what a service needs: what it offers, less what is granted to it, and what is on its way there.

What services really use is measured by nobody: it is the arithmetic of what people have declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from backstay_api.objects.models import HAService
from backstay_api.objects.quantities import amount, total, written
from backstay_operator.planner.know.parts import part_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from .host_facts import HostFacts, Rejected
from .questions import Planned, Question


@dataclass(frozen=True)
class Usage:
    """Of one name of capacity, what a host offers and what is asked of it."""

    name: str
    offered: Fraction
    asked: Fraction
    by: Sequence[str]
    """Keys of the services."""

    @property
    def is_over(self) -> bool:
        return self.asked > self.offered

    @property
    def text(self) -> str:
        return f"{written(self.asked)} of {written(self.offered)} {self.name}"

    @property
    def who_asks(self) -> str:
        return f"{written(self.asked)} {self.name} asked for by {listed(self.by)}, {written(self.offered)} offered"


def has_capacity(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host has enough left of all that placement.capacity names. What is there already has what it needs."""
    needs = _needed(ask.service) if facts.name != ask.holder else []
    others = _others(ask, facts.name) if needs else []
    for name in needs:
        asked, says = _need(ask.service, name), (facts.host.spec.capacity or {}).get(name)
        offered = amount(says) if says is not None else None
        if offered is None:
            odd = f"{says} is no amount" if says is not None else f"{written(asked)} asked for"
            return Rejected("Capacity", f"offers no {name}", f"offer no {name}", odd)
        if asked > offered - total(_need(one, name) for one in others):
            return _too_little(name, asked, offered, [one for one in others if _need(one, name)])
    return None


def lacks(ask: Question, facts: HostFacts) -> Mapping[str, Fraction] | None:
    """By name: how much more would have to be free, if not all is; None: the host offers none of it, or never so much."""
    others, found = _others(ask, facts.name), {}
    for name in _needed(ask.service):
        asked, offered = _need(ask.service, name), amount((facts.host.spec.capacity or {}).get(name, ""))
        if offered is None or asked > offered:
            return None
        found[name] = asked - (offered - total(_need(one, name) for one in others))
    return {name: much for name, much in found.items() if much > 0}


def _too_little(name: str, asked: Fraction, offered: Fraction, others: list[HAService]) -> Rejected:
    taken = total(_need(one, name) for one in others)
    by = f", {written(taken)} taken by {listed([one.key for one in others])}" if others else ""
    return Rejected(
        "Capacity",
        f"has {written(offered)} {name}{by}; {written(asked)} asked for",
        f"have too little {name}: {written(asked)} asked for",
    )


def _needed(service: HAService) -> list[str]:
    """What it needs any of."""
    return [name for name in sorted(service.spec.placement.capacity or {}) if _need(service, name)]


def _need(service: HAService, name: str) -> Fraction:
    return amount((service.spec.placement.capacity or {}).get(name, 0)) or Fraction(0)


def taken(world: World, host: str, planned: Planned, name: str) -> Fraction:
    """How much is granted there, or on its way there."""
    return total(_need(service, name) for _, service in _there(world, host, planned))


def usage(world: World, host: str) -> Iterator[Usage]:
    """Of each name that the host offers, or that what is granted to it asks for: how much, and by whom; in order of the names."""
    offers = world.hosts[host].spec.capacity or {}
    there = [service for _, service in _there(world, host, {})]
    for name in sorted({*offers, *(name for service in there for name in _needed(service))}):
        by = [service for service in there if _need(service, name)]
        keys = [*dict.fromkeys(one.key for one in by)]
        yield Usage(name, amount(offers.get(name, 0)) or Fraction(0), total(_need(one, name) for one in by), keys)


def _others(ask: Question, host: str) -> list[HAService]:
    """What needs anything there, or will: all copies of all services but this one."""
    there = _there(ask.world, host, ask.planned)
    return [
        service
        for key, service in there
        if (ask.instance is None or key != ask.instance.key) and key not in ask.leaving
    ]


def _there(world: World, host: str, planned: Planned) -> Iterator[tuple[str, HAService]]:
    """What is granted to the host or on its way there and needs anything, by the key of its HAInstance."""
    for key in sorted({*world.held_by.get(host, ()), *planned.get(host, ())}):
        instance = world.instances.get(key)
        service = world.services.get(instance.service_key) if instance is not None else None
        if instance is None or service is None or not service.spec.placement.capacity:
            continue
        if (part := part_of(world, service, instance.metadata.name)).spec.placement.capacity:
            yield key, part
