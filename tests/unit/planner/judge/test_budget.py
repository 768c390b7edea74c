"""How often hosts are cut off without a person, and what is remembered of that."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from backstay_api.objects.models import FenceRequest
from backstay_operator.planner.actions import DeleteFence
from backstay_operator.planner.do.fence_guard import fence_guard
from backstay_operator.planner.do.fences import fence_actions
from backstay_operator.planner.judge.budget import draw_up, is_in_status, spent_budget, status_fences, unstable
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
from backstay_testing.worlds import NOW_S, SILENT_S, Befall, a_world, add_host, nothing, put, say_ready, speak

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


def spend(world: World, **ago_s: tuple[float, ...]) -> None:
    """Each host was cut off so many times, so long ago."""
    for host, ages in ago_s.items():
        for number, age in enumerate(ages):
            world.fenced_s[f"{host}-{number}"], world.fenced_host[f"{host}-{number}"] = NOW_S - age, host


@pytest.mark.parametrize(
    ("size", "spent", "waiting", "alive", "refused"),
    [
        pytest.param(3, {}, ["n1", "n2", "n3"], "", {}, id="as many as there are places"),
        pytest.param(2, {}, ["n1", "n2", "n3"], "", {"n3": "is used up (by hosts that "}, id="the last has none left"),
        pytest.param(
            0, {}, ["n1"], "", {"n1": "the budget of 0 fences an hour is used up (it is 0); "}, id="no budget"
        ),
        pytest.param(1, {"n2": (900.0,)}, ["n1"], "", {"n1": "of 1 fence an hour is used up (n2); "}, id="by another"),
        pytest.param(2, {"n2": (9.0, 9.0)}, ["n1"], "", {"n1": "is used up (n2 2 times); "}, id="twice by another"),
        pytest.param(
            3,
            {"n1": (299.0,)},
            ["n1"],
            "",
            {"n1": "1 time within the hour, and is left alone for 5 min"},
            id="a pause after one",
        ),
        pytest.param(3, {"n1": (300.0,)}, ["n1"], "", {}, id="the pause is over"),
        pytest.param(
            4,
            {"n1": (599.0, 900.0)},
            ["n1"],
            "",
            {"n1": "2 times within the hour, and is left alone for 10 min"},
            id="twice as long after two",
        ),
        pytest.param(4, {"n1": (600.0, 900.0)}, ["n1"], "", {}, id="that pause is over, too"),
        pytest.param(
            9, {"n1": (3500.0,) * 5}, ["n1"], "", {"n1": "is left alone for 1 h"}, id="but for an hour at most"
        ),
        pytest.param(
            3,
            {"n1": (900.0,), "n2": (900.0,)},
            ["n1"],
            "",
            {"n1": "the last place in the budget of 3 fences an hour is kept for another host"},
            id="the last place is not for who was fenced lately",
        ),
        pytest.param(3, {"n1": (900.0,), "n2": (900.0,)}, ["n3"], "", {}, id="but for another"),
        pytest.param(
            3, {"n1": (299.0,)}, ["n1", "n2", "n3"], "", {"n1": "left alone"}, id="who is refused takes no place"
        ),
        pytest.param(2, {}, [], "n1", {}, id="one that lives takes a place, too"),
        pytest.param(
            1,
            {},
            [],
            "n1",
            {"n1": "n1 lives, and the last place in the budget of 1 fence an hour is kept for hosts that are lost"},
            id="but not the last",
        ),
        pytest.param(
            2,
            {},
            ["n2"],
            "n1",
            {"n1": "n1 lives, and the last place"},
            id="which is the last once the lost have theirs",
        ),
        pytest.param(1, {}, ["n2"], "n1", {"n1": "is used up"}, id="of which they may leave none"),
        pytest.param(3, {"n1": (299.0,)}, [], "n1", {"n1": "left alone"}, id="one that lives has its pause, too"),
        pytest.param(1, {}, [], "", {}, id="no host lives that is to be fenced"),
    ],
)
def test_who_may_not_be_fenced_now_and_why(
    size: int, spent: dict[str, tuple[float, ...]], waiting: list[str], alive: str, refused: dict[str, str]
) -> None:
    world = a_world("n1", "n2", "n3")
    world.settings = replace(world.settings, fence_budget=size)
    spend(world, **spent)
    found = draw_up(world, waiting, alive).refused
    assert {host: piece for host, piece in refused.items() if piece in found[host]} == refused
    assert list(found) == list(refused)


@pytest.mark.parametrize(
    ("ago_s", "wait_s"),
    [
        pytest.param((), None, id="it was never fenced"),
        pytest.param((299.5,), 0.5, id="for the pause"),
        pytest.param((300.0,), None, id="and no longer"),
    ],
)
def test_how_long_a_host_that_was_fenced_is_unstable(ago_s: tuple[float, ...], wait_s: float | None) -> None:
    world = a_world("n1")
    spend(world, n1=ago_s)
    assert unstable(world, "n1") == wait_s


def test_a_host_lists_its_own_fences_that_count_the_latest_sixteen_and_keeps_when_it_first_said_so() -> None:
    world = a_world("n1", "n2")
    spend(world, n1=tuple(float(3600 - number) for number in range(18)), n2=(10.0,))
    known = {"request": "n1-17", "at": "2026-01-01T00:00:00Z"}
    world.put_host(a_host("n1", status={"fences": [known]}))
    listed = status_fences(world, "n1")
    assert [fence.request for fence in listed] == [f"n1-{number}" for number in range(2, 18)]
    assert listed[-1] == world.hosts["n1"].status.fences[0]


@pytest.mark.parametrize(
    ("befall", "may_go"),
    [
        pytest.param(nothing, False, id="it counts, and stands nowhere else"),
        pytest.param(lambda w: w.fenced_s.clear(), True, id="it never wanted Off"),
        pytest.param(lambda w: w.fenced_s.update({"n1-0123456789abcdef": NOW_S - 3600.0}), True, id="an hour ago"),
        pytest.param(lambda w: w.drop_host("n1"), True, id="its Host is gone, and nothing could list it"),
    ],
)
def test_when_a_request_may_go(befall: Befall, may_go: bool) -> None:
    world = a_world("n1")
    made = request(world)
    befall(world)
    assert is_in_status(world, made) is may_go


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
