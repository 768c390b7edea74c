"""`dependsOn` in one round: what waits before it starts, what stops because another stops, and for whom a stop waits.

A round decides about what is depended on first (`rounds.in_turn`), and notes what starts and stops; so each finds here what it depends
on. Only stops that people or the plan want wait for anybody: what a lost host, a lease that ends or an agent stops, does not.
"""

from __future__ import annotations

from dataclasses import dataclass

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import InstanceOrder
from backstay_api.objects.models.service import Dependency
from backstay_operator.planner.actions import WriteRequired
from backstay_operator.planner.judge.copies import instances_of, its_host
from backstay_operator.planner.judge.dependencies import (
    is_stopped_with,
    one_works,
    required,
    runs,
    stops_first,
    went_over_to,
)
from backstay_operator.planner.judge.placement import NoHost, must_leave
from backstay_operator.planner.know.dependencies import dependencies, other_key
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from .moves import Move, Stay, elsewhere
from .rounds import Round, Stop


@dataclass(frozen=True)
class Wait:
    """Why it is not started yet."""

    why: str
    is_passing: bool
    """What it waits for is about to start, or to go on."""


def start_waits(round_: Round, service: HAService) -> Wait | None:
    """For which other service it waits before it starts."""
    waits = (
        _after(round_, service, one) or _requires(round_, service, one) for one in dependencies(round_.world, service)
    )
    return next((wait for wait in waits if wait), None)


def _after(round_: Round, service: HAService, dependency: Dependency) -> Wait | None:
    key = other_key(service, dependency)
    if dependency.type != "After" or key not in round_.starting:
        return None
    return Wait(f"it starts after {key}, which is starting (dependsOn)", True)


def _requires(round_: Round, service: HAService, dependency: Dependency) -> Wait | None:
    key = other_key(service, dependency)
    other, stop = round_.world.services.get(key), _stop_of(round_, key, dependency)
    is_ready = other is not None and stop is None and one_works(round_.world, other, dependency)
    if dependency.type == "After" or is_ready:
        return None
    is_passing = key in round_.starting or (stop is not None and stop.is_move)
    why = _why_not_ready(round_.world, other, dependency, stop)
    return Wait(f"it requires {_title(key, dependency)} (dependsOn), {why}", is_passing)


def _stop_of(round_: Round, key: str, dependency: Dependency) -> Stop | None:
    """That what it depends on is to stop: all of it, or the promoted copy, where that alone counts."""
    alone = round_.stopping.get((key, True)) if dependency.is_promoted else None
    return alone or round_.stopping.get((key, False))


def _title(key: str, dependency: Dependency) -> str:
    return f"the promoted copy of {key}" if dependency.is_promoted else key


def _why_not_ready(world: World, other: HAService | None, dependency: Dependency, stop: Stop | None) -> str:
    if other is None:
        same = sorted(one.key for one in world.services.values() if one.metadata.name == dependency.service)
        where = f"; {listed(same)} lies in another namespace" if same else ""
        return f"and there is no such HAService{where}"
    if other.metadata.deletion_timestamp is not None:
        return "which is being deleted"
    if other.spec.state == "Stopped":
        return "whose spec.state is Stopped"
    return f"which {'moves' if stop.is_move else 'stops'}: {stop.why}" if stop else "which is not Ready"


# --- stops -----------------------------------------------------------------------------------------------------------


def stops_with(round_: Round, service: HAService, instance: HAInstance) -> Stop | None:
    """Why it is stopped for a service that it requires: that stops, or has gone over to another host."""
    world = round_.world
    for one in dependencies(world, service) if is_stopped_with(world, service, instance) else ():
        key = other_key(service, one)
        other, stop, restarts = world.services.get(key), _stop_of(round_, key, one), one.on_change != "None"
        title = _title(key, one)
        if one.type == "After" or other is None:
            continue
        if stop and (restarts or not stop.is_move):
            return Stop(f"{title}, which it requires, {'moves' if stop.is_move else 'stops'}: {stop.why}", stop.is_move)
        if restarts and (host := went_over_to(world, instance, other, one)):
            return Stop(
                f"{title}, which it requires, has gone on to {host} since it was started (onChange: Restart)", True
            )
    return None


def stop_waits(round_: Round, service: HAService, instance: HAInstance, stop: Stop) -> str:
    """Whose stop this one waits for, as a sentence; empty: it stops now. Of several copies only the last waits, and the promoted one for
    those that require just that."""
    world, others_run = round_.world, _others_run(round_, service, instance)
    if others_run and not instance.is_promoted:
        round_.let_go.add(instance.uid)
        return ""
    round_.stopping[service.key, others_run] = stop
    waits = runs(world, instance)
    first = stops_first(world, service, is_move=stop.is_move, promoted_alone=others_run) if waits else []
    if not first:
        round_.let_go.add(instance.uid)
        return ""
    names = listed(sorted({one.service_key for one in first}))
    return f"{stop.why}; it waits until {names} has stopped, which depends on it"


def _others_run(round_: Round, service: HAService, instance: HAInstance) -> bool:
    there = (one for one in instances_of(round_.world, service) if one.uid not in (instance.uid, *round_.let_go))
    return any(runs(round_.world, one) for one in there)


def checked(round_: Round, service: HAService, instance: HAInstance, found: Move | Stay) -> Move | Stay:
    """No move for which another service would have to be stopped that could be started nowhere again."""
    world = round_.world
    others_run = _others_run(round_, service, instance)
    if isinstance(found, Stay) or not runs(world, instance) or (others_run and not instance.is_promoted):
        return found
    for other, one in stopped_for_a_move(world, service, promoted_alone=others_run):
        placed = elsewhere(round_, other, one) if must_leave(world, other, one) and not its_host(other, one) else None
        if isinstance(placed, NoHost):
            return Stay(
                f"{found.why}, but it stays: {other.key} depends on it, would be stopped for that, and {placed.why}"
            )
    return found


def stopped_for_a_move(
    world: World, service: HAService, *, promoted_alone: bool = False
) -> list[tuple[HAService, HAInstance]]:
    """All that are stopped when it, or its promoted copy alone, moves: what requires it, what requires that, and so on."""
    found: dict[str, tuple[HAService, HAInstance]] = {}
    path = [(service, promoted_alone)]
    while path:
        moved, alone = path.pop()
        for one in stops_first(world, moved, is_move=True, promoted_alone=alone):
            other = world.services[one.service_key]
            if one.uid not in found:
                found[one.uid] = (other, one)
                path.append((other, False))
    return list(found.values())


def starts_again_on(world: World, service: HAService, instance: HAInstance, stopped: InstanceOrder | None) -> str:
    """The host where it was stopped for what it depends on, and starts again by the same manifest; empty: there is none."""
    if stopped is None or stopped.to != instance.holder or stopped.revision != service.metadata.generation:
        return ""
    return instance.holder if dependencies(world, service) else ""


# --- what is noted ---------------------------------------------------------------------------------------------------


def noted(world: World, service: HAService, instance: HAInstance) -> list[WriteRequired]:
    """Of what runs: what it requires now, where a manifest has brought or dropped that since it was started."""
    known = tuple(instance.spec.required or ())
    now = required(world, service, known)
    if now == known or not runs(world, instance):
        return []
    said = listed([f"{one.service} of epoch {one.epoch}" for one in now]) or "nothing"
    return [WriteRequired(instance, now, f"it runs, and requires {said}")]
