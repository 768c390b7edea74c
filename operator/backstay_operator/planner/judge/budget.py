"""How often hosts are cut off without a person: so many times an hour in all, and each of them ever more rarely (PROTOCOL 4).

What counts is remembered three times: in the FenceRequest, in the Host's status, and on our own clock. A replica that has just
started counts from when it first read of it: it may wait for longer than needed, never act sooner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from backstay_api.objects.models import FenceRequest
from backstay_api.objects.models.host import Fence
from backstay_api.objects.texts import confirm_by_hand
from backstay_operator.planner.know.objects import has_cost
from backstay_operator.planner.know.world import BUDGET_PERIOD_S, World
from backstay_operator.planner.words import roughly


@dataclass(frozen=True)
class Budget:
    """What was spent within the hour, and who may have what is left."""

    size: int
    spent: Mapping[str, tuple[float, ...]]
    """By host: how long ago each of its fences was, the latest first."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Hosts that wait to be fenced and may not be, each with a sentence."""


def draw_up(world: World, waiting: list[str], alive: str = "") -> Budget:
    """The budget, with its places given to those who wait, in their order; but for the last then to `alive`, a host that lives."""
    size, spent = world.settings.fence_budget, spent_budget(world)
    room = size - sum(len(ages) for ages in spent.values())
    refused = {}
    for host in waiting:
        why = _refusal(world, spent, host, room, size)
        if why:
            refused[host] = why
        else:
            room -= 1
    if alive and (why := _refusal(world, spent, alive, room, size) or _kept(alive, room, size)):
        refused[alive] = why
    return Budget(size, spent, refused)


def spent_budget(world: World) -> Mapping[str, tuple[float, ...]]:
    """By host: how long ago it was cut off by a device without a person's word, each time within the last hour."""
    found: dict[str, list[float]] = defaultdict(list)
    for name, at_s in world.fenced_s.items():
        if counts(world, name):
            found[world.fenced_host[name]].append(world.now_s - at_s)
    return {host: tuple(sorted(ages)) for host, ages in sorted(found.items())}


def counts(world: World, name: str) -> bool:
    """Whether this FenceRequest, be it gone by now, is one that has cut a host off lately without a person's word."""
    if world.now_s - world.fenced_s.get(name, float("-inf")) >= BUDGET_PERIOD_S:
        return False
    request = world.requests.get(name)
    return request is None or has_cost(request)


def unstable(world: World, host: str) -> float | None:
    """For how long a host that was fenced lately is still left alone; None: it was not, or has been stable since."""
    wait_s = _pause_s(world, spent_budget(world).get(host, ()))
    return wait_s if wait_s > 0 else None


def status_fences(world: World, host: str) -> list[Fence]:
    """The host's fences as its status shall list them."""
    known = {fence.request: fence for fence in world.hosts[host].status.fences}
    names = [name for name in world.fenced_s if world.fenced_host[name] == host and counts(world, name)]
    in_order = sorted(names, key=lambda name: (world.fenced_s[name], name))
    return [known.get(name) or Fence(request=name, at=world.wall) for name in in_order[-16:]]


def is_in_status(world: World, request: FenceRequest) -> bool:
    """Whether it may go without being forgotten: it does not count, or stands in its Host's status."""
    host = world.hosts.get(request.spec.host)
    if host is None or not counts(world, request.key):
        return True
    return any(fence.request == request.key for fence in host.status.fences)


def _refusal(world: World, spent: Mapping[str, tuple[float, ...]], host: str, room: int, size: int) -> str:
    budget = f"the budget of {size} fence{'' if size == 1 else 's'} an hour"
    by_hand = f"wait, or make sure that {host} is powered off and say so: {confirm_by_hand(host)}"
    ages = spent.get(host, ())
    times = f"{len(ages)} time{'' if len(ages) == 1 else 's'}"
    if room <= 0:
        used = ", ".join(f"{name}{'' if len(each) == 1 else f' {len(each)} times'}" for name, each in spent.items())
        by_whom = used or ("by hosts that have been silent for longer" if size else "it is 0")
        return f"{budget} is used up ({by_whom}); {by_hand}"
    if ages and room == 1:
        return f"{host} was fenced {times} within the hour, and the last place in {budget} is kept for another host; {by_hand}"
    if _pause_s(world, ages) > 0:
        alone = roughly(_whole_pause_s(world, len(ages)))
        return f"{host} was fenced {times} within the hour, and is left alone for {alone} after that; {by_hand}"
    return ""


def _kept(host: str, room: int, size: int) -> str:
    places = f"the budget of {size} fence{'' if size == 1 else 's'} an hour"
    return f"{host} lives, and the last place in {places} is kept for hosts that are lost" if room == 1 else ""


def _pause_s(world: World, ages: tuple[float, ...]) -> float:
    return _whole_pause_s(world, len(ages)) - ages[0] if ages else 0.0


def _whole_pause_s(world: World, times: int) -> float:
    return min(BUDGET_PERIOD_S, world.settings.fence_again_s * 2.0 ** (times - 1))
