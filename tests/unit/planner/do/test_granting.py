"""The first promotion, where a copy that has never run waits for a host: a table of whom it waits for."""

from __future__ import annotations

from typing import Final

import pytest

from backstay_operator.planner.do.decisions import decide_in_turn
from backstay_operator.planner.do.finalizers import HOST_FINALIZER
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_host, an_instance, claims, marked
from backstay_testing.promotions import COPIES_ALONE, ROLE_ALONE, ROLE_SLOT, SCORED, SCORED_ROLE, position
from backstay_testing.worlds import Befall, a_world, all_of, make_ours, nothing, report, say_ready, silence

WAITS: Final = "waiting for n2 to say whether a copy can start there: its data may be the freshest"


def one_copy_works() -> World:
    """On n1, which says how fresh its data is. The other, and the promoted role, have never run; n2 says that nothing of that runs there."""
    world = a_world("n1", "n2")
    world.put_service(SCORED)
    world.put_instance(an_instance(COPIES_ALONE, epoch=1, host="n1"))
    report(world, SCORED, "n1", "Running", epoch=1)
    world.put_instance(an_instance(COPIES_ALONE, slot=1))
    world.put_instance(an_instance(ROLE_ALONE, slot=ROLE_SLOT))
    make_ours(world)
    for claim in claims(SCORED_ROLE, "n1", "n2", instance=world.instances["shop/web-promoted"]):
        world.claims[claim.key] = claim
    position("n1", 7)(world)
    say_ready(world, SCORED, "n2", slot=ROLE_SLOT)
    return world


def late(world: World) -> None:
    """It has said that it could start the copy, but nothing can be granted to it in this moment."""
    say_ready(world, SCORED, "n2", slot=1)
    silence(world, "n2", 1.0)


def cordoned(world: World) -> None:
    world.hosts["n2"] = marked(a_host("n2", mode="Cordon"), HOST_FINALIZER)


@pytest.mark.parametrize(
    ("befall", "to", "why"),
    [
        pytest.param(nothing, "", WAITS, id="it has not said whether a copy can start there"),
        pytest.param(late, "", WAITS, id="it is late with its heartbeat"),
        pytest.param(lambda w: say_ready(w, SCORED, "n2", slot=1, ready=False, why="masked"), "n1", "", id="it says no"),
        pytest.param(lambda w: silence(w, "n2"), "n1", "", id="it does not live"),
        pytest.param(cordoned, "n1", "", id="nothing may come there"),
        pytest.param(all_of(late, cordoned), "n1", "", id="late, and nothing may come there"),
    ],
)  # fmt: skip
def test_whom_the_first_promotion_waits_for(befall: Befall, to: str, why: str) -> None:
    world = one_copy_works()
    befall(world)
    _, decision = decide_in_turn(world, world.services[SCORED.key])
    (course,) = (slot.course for slot in decision.slots if slot.name == "web-promoted")
    assert (course.to, course.missing if not to else "") == (to, why)
