"""What holds a fence back, the reason that is told, and what a new request says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstay_operator.planner.actions import RequestFence
from backstay_operator.planner.do.fence_guard import fence_guard, guards_refusal, held_back
from backstay_operator.planner.do.fences import fence_actions
from backstay_testing.builders import a_service, session, unit
from backstay_testing.fences import (
    CONFIRMED,
    HANDS_OFF,
    NO_DEVICE,
    OBSERVE,
    OFF,
    READ_OFF,
    holds_more,
    holds_nothing,
    host,
    host_removed,
    late,
    nobody_takes_over,
    scene,
    sealed,
    silent,
    spent,
    storm,
)
from backstay_testing.worlds import Befall, add_host, all_of, nothing, put, say_ready, silence

IN_HANDS_OFF = "n1 is in maintenance (HandsOff): nobody is fenced"
NO_MEANS = "n1 has no fencing device, so sealing it would prove nothing"
LEFT_ALONE = "n1 is not fenced, because no other host could take over"
IN_STORM = "2 of 3 hosts fell silent together (n1, n2)"
SPENT = "the budget of 3 fences an hour is used up"


@pytest.mark.parametrize(
    ("befall", "held", "refused"),
    [
        pytest.param(silent, "", "", id="nothing stands against it"),
        pytest.param(all_of(silent, HANDS_OFF), IN_HANDS_OFF, "", id="maintenance"),
        pytest.param(all_of(silent, NO_DEVICE), NO_MEANS, "", id="no device"),
        pytest.param(all_of(silent, nobody_takes_over), LEFT_ALONE, LEFT_ALONE, id="nobody could take over"),
        pytest.param(all_of(silent, storm), IN_STORM, IN_STORM, id="a storm"),
        pytest.param(all_of(silent, spent), SPENT, SPENT, id="the budget"),
        pytest.param(all_of(sealed, storm), IN_STORM, IN_STORM, id="a storm over a sealed host"),
        pytest.param(all_of(sealed, nobody_takes_over), "", "", id="a sealed host is not left alone"),
        pytest.param(all_of(silent, storm, READ_OFF), "", "", id="what is read off needs no guard"),
        pytest.param(all_of(silent, storm, CONFIRMED), "", "", id="what a person confirms needs none"),
        pytest.param(all_of(sealed, storm, OFF), IN_STORM, "", id="what is ordered is not refused any more"),
        pytest.param(all_of(sealed, storm, OBSERVE), IN_STORM, IN_STORM, id="what is only read is"),
        pytest.param(all_of(silent, HANDS_OFF, storm), IN_HANDS_OFF, "", id="what nobody fences in maintenance is no guard's"),
        pytest.param(all_of(late, storm), IN_STORM, "", id="a late host is not refused yet"),
        # Which is said first.
        pytest.param(all_of(silent, HANDS_OFF, CONFIRMED), "", "", id="a person's word before maintenance"),
        pytest.param(all_of(silent, HANDS_OFF, READ_OFF), IN_HANDS_OFF, "", id="maintenance before a read"),
        pytest.param(all_of(silent, NO_DEVICE, READ_OFF), "", "", id="a read before the lack of a device"),
        pytest.param(all_of(silent, NO_DEVICE, storm), NO_MEANS, "", id="no device before a storm"),
        pytest.param(all_of(silent, nobody_takes_over, storm), LEFT_ALONE, LEFT_ALONE, id="left alone before a storm"),
        pytest.param(all_of(silent, nobody_takes_over, spent), LEFT_ALONE, LEFT_ALONE, id="left alone before the budget"),
        pytest.param(all_of(silent, storm, spent), IN_STORM, IN_STORM, id="a storm before the budget"),
    ],
)  # fmt: skip
def test_what_holds_a_fence_back_and_which_reason_is_told(befall: Befall, held: str, refused: str) -> None:
    world = scene()
    befall(world)
    found = fence_guard(world)
    for told_, expected in ((held_back(world, found, "n1"), held), (guards_refusal(world, found, "n1"), refused)):
        assert (told_ or "").startswith(expected) and bool(told_) == bool(expected)


@pytest.mark.parametrize(
    "befall",
    [
        pytest.param(nobody_takes_over, id="whose end would help nobody"),
        pytest.param(holds_nothing, id="who holds nothing"),
        pytest.param(OFF, id="whose off is ordered, and counts already"),
    ],
)
def test_who_takes_no_place_in_the_budget(befall: Befall) -> None:
    """n4 has been silent for less long, and the one place is its own."""
    world = scene()
    world.settings = replace(world.settings, fence_budget=1)
    other = a_service("log", unit("log"))
    add_host(world, "n4", has_device=True, silent_s=10.0)
    put(world, other, epoch=1, host="n4")
    say_ready(world, other, "n3")
    all_of(silent, befall)(world)
    world.fenced_s.clear()
    assert "n4" not in fence_guard(world).budget.refused


@pytest.mark.parametrize(
    ("befall", "after", "machine"),
    [
        pytest.param(nothing, "On", "machine-n1", id="as its grant and its Host say"),
        pytest.param(host(stays_off=True), "StayOff", "machine-n1", id="its Host is to stay off"),
        pytest.param(host_removed, "On", "machine-n1", id="its Host is gone"),
        pytest.param(holds_more, "On", "machine-n1", id="another session of it holds something, too"),
    ],
)
def test_what_a_new_request_says(befall: Befall, after: str, machine: str) -> None:
    world = scene()
    befall(world)
    silence(world, "n1", 1.0)
    (made,) = fence_actions(world, fence_guard(world), "n1")
    assert isinstance(made, RequestFence)
    assert (made.spec.host, made.spec.session, made.spec.machine_uuid, made.spec.after) == (
        "n1",
        session("n1"),
        machine,
        after,
    )
