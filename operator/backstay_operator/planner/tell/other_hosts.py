"""What is true of a service on the hosts that it does not run on: who could take over, what they still hold, what is their own."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from backstay_api.objects.models import HAService
from backstay_api.objects.models.service import StandbySummary
from backstay_api.objects.resource_kinds import claims_of, units_of
from backstay_operator.planner.do.decisions import Slot
from backstay_operator.planner.judge import placement
from backstay_operator.planner.judge.copies import instances_of
from backstay_operator.planner.judge.fence_path import fence_path
from backstay_operator.planner.judge.first_epoch import second_copy
from backstay_operator.planner.judge.host_facts import Rejected, facts_of
from backstay_operator.planner.judge.judges import rejection
from backstay_operator.planner.judge.prerequisites import REASONS
from backstay_operator.planner.judge.questions import Point, Question
from backstay_operator.planner.judge.shedding import less_important
from backstay_operator.planner.know import holdings
from backstay_operator.planner.know.selection import declared
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import NOT_REACHABLE, SECOND_COPY, first_words, listed, within_a_sentence

from .conditions import Finding


def who_could_take_over(world: World, service: HAService, slot: Slot) -> list[StandbySummary]:
    """Those that are asked to be ready, and the selected hosts that cannot even be asked, with the reason: asked here, only to be told."""
    ask = Question(world, slot.in_force, slot.instance, leaving=less_important(world, slot.in_force))
    asked = [name for name in slot.asked if name in world.hosts]
    others = set(declared(world, service)) - {*asked, ask.holder}
    barred = placement.barred(world, slot.in_force, slot.instance) if others else {}
    summaries = [_standby(name, rejection(Point.TAKE_OVER, ask, facts_of(world, name))) for name in asked]
    for name in sorted(others.intersection(barred)):
        if not barred[name].has_copy:
            summaries.append(_standby(name, barred[name]))
    return summaries[: placement.MOST_ASKED]


def _standby(name: str, rejected: Rejected | None) -> StandbySummary:
    reason, why = (rejected.reason or rejected.rule, first_words(rejected.why)) if rejected else ("", "")
    return _summary(name, rejected is None, reason, why)


@lru_cache(maxsize=4096)
def _summary(host: str, ready: bool, reason: str, why: str) -> StandbySummary:
    return StandbySummary(host=host, ready=ready, reason=reason, why=why)


def standby_ready(standbys: list[StandbySummary]) -> Finding:
    """What keeps the nearest to ready from it is the reason: who lacks a prerequisite lacks nothing else that is asked before."""
    ready = [standby.host for standby in standbys if standby.ready]
    if ready:
        return Finding("StandbyReady", True, "Ready", f"{listed(ready)} could take over now")
    if not standbys:
        return Finding("StandbyReady", False, "NoOtherHost", "No other host is selected that could take over: add one")
    said = listed([f"{standby.host}: {standby.why}" for standby in standbys], most=3)
    reason = next((one for one in REASONS if any(each.reason == one for each in standbys)), "NotReady")
    return Finding("StandbyReady", False, reason, f"No host could take over now; {said}")


def runs_twice(world: World, slot: Slot) -> tuple[str, str] | None:
    """That something of it runs beside its holder, started by somebody else: reason and sentence."""
    instance = slot.instance
    why = second_copy(world, slot.in_force, instance, slot.asked) if instance and instance.spec.grant else ""
    return (SECOND_COPY, why) if why else None


def not_reached(world: World, slot: Slot, standbys: Collection[StandbySummary]) -> tuple[str, str] | None:
    """That hosts which ask as its clients do get no good answer, though it works where it runs: reason and sentence."""
    instance = slot.instance
    if instance is None or not (ready := [one.host for one in standbys if one.ready]):
        return None
    said = {host: report for host in ready if (report := world.assignments[host].status.standbys.get(instance.uid))}
    whys = {host: one.no_answer for host, one in said.items() if one.no_answer_epoch == instance.spec.epoch}
    if not whys:
        return None
    others = [host for host in ready if host not in whys]
    but = f"; {listed(others)} {'does' if len(others) == 1 else 'do'} not say so" if others else ""
    told = listed([f"{host}: {first_words(why)}" for host, why in sorted(whys.items())], most=3)
    who = "another host gets" if len(whys) == 1 else "other hosts get"
    return NOT_REACHABLE, f"It works on {instance.holder}, and {who} no good answer; {told}{but}"


def held_units(world: World, service: HAService) -> Finding | None:
    """What hosts that may not run it any more keep from starting by itself all the same, and why; nothing, if there is none."""
    said: list[str] = []
    candidates = placement.candidates(world, service) if world.held_on else ()
    for unit in units_of(service.spec.resources):
        for host in sorted(world.held_on.get(unit, set()).difference(candidates)):
            why = next(one.why for one in world.assignments[host].status.held if one.unit == unit)
            said.append(f"{host} still holds {unit}, though it may not run it any more: {first_words(why)}")
    return Finding("UnitsHeld", True, "NotGivenBack", listed(said, most=3)) if said else None


def address_of_a_host(world: World, service: HAService) -> str:
    """An address of the service that a host has come to call its own since it was claimed, as a sentence."""
    for claim in claims_of(service.spec.resources):
        if hosts := holdings.own_of_hosts(world, claim):
            return f"{claim.key} is {listed(hosts)}'s own address too: clients may reach either; take it away there, or choose another"
    return ""


def survives(world: World, holder: str, standby: Finding, *, exclusive: bool) -> Finding:
    """Whether the loss of the host that runs it would be mended without a person, where `standby` says that somebody could take over."""
    path = fence_path(world, holder) if exclusive and holder in world.hosts else None
    if path and path.reason == "FencerSilent":
        said = f"Nobody knows whether {holder} could be fenced: {path.why}"
        return Finding("SurvivesHostLoss", None, "FencerSilent", said)
    if exclusive and not (path and path.works):
        why = within_a_sentence(path.why) if path else "it has no Host object any more"
        said = f"{holder} could not be fenced ({why}): if it fell silent, a person would have to confirm that it is off"
        return Finding("SurvivesHostLoss", False, "FencingNotReady", said)
    return Finding("SurvivesHostLoss", True, "StandbyReady", f"Should {holder} be lost: {standby.message}")


def survives_elsewhere(world: World, service: HAService, host: str) -> Finding:
    """A copy of mode EveryHost is lost with its host, and nothing takes its place: those of other hosts go on."""
    if all(one.holder in ("", host) for one in instances_of(world, service)):
        return Finding("SurvivesHostLoss", False, "OneHost", f"No host but {host} has a copy of it")
    return Finding(
        "SurvivesHostLoss", True, "EveryHost", "The copy of a host is lost with it, and those of others go on"
    )
