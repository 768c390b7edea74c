"""How often hosts are cut off without a person, and what is remembered of that."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from backstay_api.objects.models import FenceRequest
from backstay_operator.planner.actions import DeleteFence
from backstay_operator.planner.do.fence_guard import fence_guard
from backstay_operator.planner.do.fences import fence_actions
from backstay_operator.planner.judge.budget import spent_budget, status_fences
from backstay_operator.planner.know.world import World
from backstay_testing.builders import (
    PROVEN,
    SWITCHED_OFF,
    a_host,
    a_request,
    a_service,
    session,
    unit,
)
from backstay_testing.worlds import NOW_S, SILENT_S, Befall, a_world, add_host, put, say_ready, speak

LATE_S = SILENT_S


def lose(world: World, name: str, *, silent_s: float = LATE_S, holds: bool = False) -> None:
    add_host(world, name, silent_s=silent_s, has_device=True)
    if holds:
        put(world, a_service(f"on-{name}"), epoch=1, host=name)


def request(
    world: World,
    *,
    name: str = "n1-0123456789abcdef",
    off: bool = True,
    ago_s: float = 10.0,
    want: Literal["Off", "Withdrawn"] = "Off",
    confirm: bool = False,
) -> FenceRequest:
    """A request about n1 that proved it off, and when we first saw it want Off."""
    made = a_request("n1", name=name, want=want, is_confirmed=confirm, status=PROVEN | (SWITCHED_OFF if off else {}))
    world.put_request(made)
    world.fenced_s[made.key], world.fenced_host[made.key] = NOW_S - ago_s, "n1"
    return made


def test_a_request_of_any_name_counts_for_its_host_when_it_is_gone() -> None:
    world = a_world("n1", "n2")
    made = request(world, name="made-by-hand")
    world.drop_request(made.key)
    assert spent_budget(world) == {"n1": (10.0,)}


@pytest.mark.parametrize(
    ("befall", "counts"),
    [
        pytest.param(lambda w: request(w), True, id="a host that was cut off counts"),
        pytest.param(lambda w: request(w, ago_s=3600.0), False, id="for an hour"),
        pytest.param(lambda w: request(w, off=False), False, id="one that was off anyway does not"),
        pytest.param(
            lambda w: request(w, confirm=True),
            False,
            id="nor one a person answers for",
        ),
        pytest.param(lambda w: w.drop_request(request(w).key), True, id="a request that is gone still counts"),
        pytest.param(
            lambda w: w.drop_request(request(w, off=False).key), False, id="but not of a host that was off anyway"
        ),
        pytest.param(
            lambda w: w.drop_request(request(w, confirm=True).key), False, id="nor one that a person answers for"
        ),
    ],
)
def test_who_has_used_up_the_budget(befall: Befall, counts: bool) -> None:
    world = a_world("n1")
    befall(world)
    assert list(spent_budget(world)) == (["n1"] if counts else [])


def test_fences_of_one_moment_are_listed_alike_by_every_replica() -> None:
    """Whichever of them it read first: a new operator reads all at once."""
    lists = []
    for names in (("n1-a", "n1-b"), ("n1-b", "n1-a")):
        world = a_world("n1")
        for name in names:
            world.fenced_s[name], world.fenced_host[name] = NOW_S - 10, "n1"
        lists.append([fence.request for fence in status_fences(world, "n1")])
    assert lists[0] == lists[1]


def test_the_last_place_in_the_budget_goes_to_who_has_been_silent_for_longest() -> None:
    world = a_world("n1", "n2", *(f"n{n}" for n in range(3, 9)))
    world.settings = replace(world.settings, fence_budget=1)
    for name, silent_s in (("n1", LATE_S), ("n2", LATE_S + 5.0)):
        lose(world, name, silent_s=silent_s)
        service = a_service(f"on-{name}", unit(f"on-{name}"))
        put(world, service, epoch=1, host=name)
        say_ready(world, service, "n3")
    found = fence_guard(world)
    assert (found.left_alone, list(found.budget.refused)) == ({}, ["n1"])


def come_back(world: World) -> None:
    world.drop_instance("shop/on-n1-0")
    speak(world, "n1", session("n1", 2))


@pytest.mark.parametrize(
    "befall",
    [
        pytest.param(lambda w: add_host(w, "n1", silent_s=LATE_S), id="a false alarm that rings again"),
        pytest.param(come_back, id="its host has returned, and nothing that its session held is open any more"),
    ],
)
def test_a_request_that_counts_goes_only_when_its_host_lists_it(befall: Befall) -> None:
    """Or a new operator, which has only the objects, would not know that the host was cut off lately."""
    world = a_world("n1", "n2")
    lose(world, "n1", holds=True)
    counted = request(world, off=False, want="Withdrawn")
    world.put_request(a_request("n1", name=counted.key, want="Withdrawn", status={"power": "Unknown"}))
    befall(world)
    assert not [one for one in fence_actions(world, fence_guard(world), "n1") if isinstance(one, DeleteFence)]
    fences = [{"request": counted.key, "at": "2026-01-01T00:00:00Z"}]
    world.put_host(a_host("n1", has_device=True, status={"fences": fences}))
    assert [one for one in fence_actions(world, fence_guard(world), "n1") if isinstance(one, DeleteFence)]
