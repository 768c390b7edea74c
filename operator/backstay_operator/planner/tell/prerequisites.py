"""What is told of a service's prerequisites: how they were where it ran well last, and which hosts do not meet them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backstay_api.objects.editions import compared
from backstay_api.objects.models import HAService
from backstay_api.objects.models.prerequisites import LastRanWith, PrerequisiteFinding
from backstay_api.objects.models.resources import Resource
from backstay_api.objects.resource_kinds import identity
from backstay_operator.planner.do.decisions import Slot
from backstay_operator.planner.judge import editions, prerequisites
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed


def recorded_run(world: World, service: HAService, slots: Sequence[tuple[Slot, bool]]) -> list[LastRanWith]:
    """As its host has them now, if it runs well there (`True`); else as was told before."""
    for slot, is_well in slots:
        wanted = prerequisites.prerequisites_of(slot.in_force)
        before = {one.name: last for one in wanted if (last := prerequisites.last_ran_with(service, one))}
        seen: Mapping[str, PrerequisiteFinding] = {}
        if is_well and slot.instance is not None and wanted:
            seen = prerequisites.seen_on(world, slot.in_force, slot.instance, slot.instance.holder)
        kept = {name: _ended(last, world.wall, is_well) for name, last in before.items()}
        now = {
            one.name: _ran(before.get(one.name), one, slot.instance.holder, seen[one.name], world.wall)
            for one in wanted
            if slot.instance is not None and one.name in seen and seen[one.name].facts
        }
        return list({**kept, **now}.values())
    return service.status.last_ran_with


def _ended(last: LastRanWith, wall: str, is_well: bool) -> LastRanWith:
    """Since when it does not run well any more is told once."""
    return last if is_well or last.until is not None else last.model_copy(update={"until": wall})


def _ran(last: LastRanWith | None, resource: Resource, host: str, seen: PrerequisiteFinding, wall: str) -> LastRanWith:
    """It runs well with what is seen there. What it ran well with for long enough before an edit is kept."""
    facts = compared(seen.facts)
    now = LastRanWith(name=resource.name, what=identity(resource), host=host, facts=facts, since=wall)
    if last is None:
        return now
    if last.facts == facts:
        return now.model_copy(update={"since": last.since or wall, "before": last.before})
    is_proven = prerequisites.is_proven(last, last.until or wall)
    return now.model_copy(update={"before": last.facts if is_proven else last.before})


def prerequisites_unmet(world: World, slot: Slot) -> tuple[str, str] | None:
    """Which of the hosts that count lack something, or have it otherwise: a reason and a sentence."""
    if slot.instance is None or not prerequisites.prerequisites_of(slot.in_force):
        return None
    hosts = [host for host in dict.fromkeys((slot.instance.holder, *slot.asked)) if host in world.hosts]
    if refused := editions.progress(world, slot.in_force, slot.instance, slot.asked):
        return refused
    found = {host: prerequisites.unmet(world, slot.in_force, slot.instance, host) for host in hosts}
    known = {host: seen for host, unmet in found.items() if (seen := [one for one in unmet if one.is_known])}
    if not known:
        return None
    only_older = all(one.is_older for unmet in known.values() for one in unmet)
    said = listed([f"{host}: {prerequisites.told(unmet)}" for host, unmet in known.items()], most=3)
    return ("Older" if only_older else "PrerequisitesNotMet"), said


def edition_paused(world: World, slot: Slot) -> str:
    """Which files that are brought wait for a person where the service runs; empty: none. Nothing is wrong with what runs there."""
    if slot.instance is None or not prerequisites.prerequisites_of(slot.in_force):
        return ""
    return editions.paused(world, slot.in_force, slot.instance, slot.asked)
