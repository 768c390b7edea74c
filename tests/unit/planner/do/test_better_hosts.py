"""What nobody holds is granted to the host that people want it on, not to the one that answers first: a table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from backstay_operator.planner.do.decisions import decide_in_turn
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_operator.planner.judge.placement import FOR_BETTER_S
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service
from backstay_testing.worlds import (
    NOW_S,
    Befall,
    a_world,
    add_host,
    all_of,
    make_ours,
    nothing,
    put,
    say_ready,
    silence,
)

ON_N2: Final = {"prefer": [{"hosts": {"matchLabels": {"disk": "fast"}}, "weight": 50}]}
WEB: Final = a_service(placement=ON_N2)
WAITS: Final = "n1 could run it; waiting a moment for n2, which would be better, to say whether it is ready"


def stopped() -> World:
    """It has run, and nobody holds it now; n1 has just said that it is ready, and n2, where people want it, nothing yet."""
    world = a_world("n1", "n3")
    add_host(world, "n2", labels={"disk": "fast"})
    put(world, WEB, epoch=1)
    make_ours(world)
    say_ready(world, WEB, "n1")
    return world


def wanted_on(placement: Any) -> Befall:
    def befall(world: World) -> None:
        put(world, a_service(placement=placement), epoch=1)
        make_ours(world)

    return befall


def passes(seconds: float) -> Befall:
    def befall(world: World) -> None:
        world.now_s += seconds
        for host, seen in world.leases.items():
            world.leases[host] = replace(seen, first_seen_s=world.now_s, moved_s=world.now_s)

    return befall


def wished(world: World) -> None:
    text = json.dumps({"host": "n1", "generation": 1, "expires": ""})
    known = world.services[WEB.key]
    metadata = known.metadata.model_copy(update={"annotations": {MOVE_ANNOTATION: text}})
    world.put_service(known.model_copy(update={"metadata": metadata}))


@pytest.mark.parametrize(
    ("befall", "to"),
    [
        pytest.param(nothing, "", id="it waits"),
        pytest.param(passes(FOR_BETTER_S / 2), "", id="still"),
        pytest.param(passes(FOR_BETTER_S), "n1", id="and no longer than that"),
        pytest.param(lambda w: say_ready(w, WEB, "n2"), "n2", id="it has answered"),
        pytest.param(lambda w: say_ready(w, WEB, "n2", ready=False, why="masked"), "n1", id="it has said no"),
        pytest.param(lambda w: silence(w, "n2"), "n1", id="it does not live"),
        pytest.param(
            lambda w: add_host(w, "n2", labels={"disk": "fast"}, mode="Cordon"), "n1", id="nothing may come there"
        ),
        pytest.param(wanted_on({}), "n1", id="nobody wants it there: that n1 is asked first will do"),
        pytest.param(wanted_on({"hosts": {"matchLabels": {"a": "b"}}}), "", id="nobody can run it"),
        pytest.param(wished, "n1", id="a person wants it here"),
        pytest.param(
            all_of(lambda w: say_ready(w, WEB, "n2"), lambda w: silence(w, "n2")), "n1", id="it was, and is lost"
        ),
    ],
)
def test_it_waits_a_moment_for_a_better_host_that_may_still_say_yes(befall: Befall, to: str) -> None:
    world = stopped()
    befall(world)
    _, decision = decide_in_turn(world, world.services[WEB.key])
    assert decision.slots[0].course.to == to


def test_it_is_said_for_whom_it_waits_and_looked_at_again_when_that_is_over() -> None:
    world = stopped()
    course = decide_in_turn(world, world.services[WEB.key])[1].slots[0].course
    assert course.placed is not None and course.placed.why == WAITS
    assert (course.actions, course.look_again_s) == ((), NOW_S + FOR_BETTER_S)
