"""Who was started anew time and again is left where it is by rules and preferences, and by nothing else: a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

from backstay_api.objects.durations import later
from backstay_api.objects.models.instance import GrantRecord
from backstay_operator.planner.do.clears import spent_clear
from backstay_operator.planner.do.finalizers import HOST_FINALIZER
from backstay_operator.planner.do.moves import MOVE_ANNOTATION, Move, consider
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.judge.restless import PERIOD_S
from backstay_operator.planner.know.clearing import CLEAR_ANNOTATION
from backstay_operator.planner.know.world import Failed, World
from backstay_testing.builders import a_host, a_service, annotated, marked, unit
from backstay_testing.worlds import Befall, a_world, nothing, report, running

NOW: Final = "2026-03-01T12:00:00Z"
RESTS: Final = (
    "it has been started anew 4 times within an hour, and stays until 2026-03-01T12:15:00Z: rules or preferences of services may contradict"
    " each other (`backstay explain web --last`); `backstay clear web --reason WHY` lets it go on at once"
)
APART: Final = {"apart": [{"service": "other", "required": True}]}
BACK: Final = {"failback": "Always", "prefer": [{"hosts": {"matchLabels": {"rack": "a"}}, "weight": 500}]}


def world_of(placement: dict[str, Any], minutes_ago: Sequence[float], annotations: dict[str, str]) -> World:
    """Both run on n1; n2 and n3 are ready, and n3 is in rack a. Granted so many minutes ago each, the latest first."""
    world = a_world("n1", "n2", "n3")
    world.wall = NOW
    running(
        world,
        a_service("other", unit("other")),
    )
    running(world, annotated(a_service(generation=2, placement=placement), annotations))
    world.hosts["n3"] = marked(a_host("n3", labels={"rack": "a"}), HOST_FINALIZER)
    known, last = world.instances["shop/web-0"], 7
    grants = [
        GrantRecord(epoch=last - back, host=f"n{back % 2 + 1}", at=later(NOW, -60 * ago))
        for back, ago in enumerate(minutes_ago)
    ]
    world.put_instance(
        known.model_copy(update={"spec": known.spec.model_copy(update={"epoch": last, "grants": grants})})
    )
    report(world, world.services["shop/web"], "n1", "Running", epoch=last, revision=2)
    return world


def drained(world: World) -> None:
    world.hosts["n1"] = marked(a_host("n1", mode="Drain"), HOST_FINALIZER)


def failed(world: World) -> None:
    report(world, world.services["shop/web"], "n1", "Failed", epoch=7, revision=2, why="exit code 1")
    world.failed_s["uid-web-0", Failed("web-0", "n1", 7)] = world.now_s


FOUR_IN_AN_HOUR: Final = (5, 20, 30, 45, 50)
CLEARED: Final = {CLEAR_ANNOTATION: json.dumps({"epochs": {"web-0": 4}, "number": 1})}
MOVED: Final = {MOVE_ANNOTATION: json.dumps({"host": "n2"})}
ROWS: Final = [
    (APART, FOUR_IN_AN_HOUR, {}, nothing, "", "a rule between services moves it no more"),
    (BACK, FOUR_IN_AN_HOUR, {}, nothing, "", "nor does a preference"),
    (APART, (5, 20, 30, 60, 70), {}, nothing, "n2", "the fourth was an hour ago"),
    (BACK, (5, 20, 30, 60, 70), {}, nothing, "n3", "the same for a preference"),
    (APART, (5, 20, 30), {}, nothing, "n2", "it has been started anew three times"),
    (APART, FOUR_IN_AN_HOUR, CLEARED, nothing, "n2", "one of them was cleared"),
    (APART, FOUR_IN_AN_HOUR, {}, drained, "n2", "a drain waits for nothing"),
    (APART, FOUR_IN_AN_HOUR, MOVED, nothing, "n2", "nor does a person's wish"),
    ({}, FOUR_IN_AN_HOUR, {}, failed, "n2", "nor a failure"),
    (APART, FOUR_IN_AN_HOUR, {}, failed, "n2", "also of one that a rule would have elsewhere"),
    (APART, (-1440, *FOUR_IN_AN_HOUR), {}, nothing, "n2", "a grant from tomorrow is of a clock that was wrong"),
    ({"hosts": {"matchLabels": {"rack": "a"}}}, FOUR_IN_AN_HOUR, {}, nothing, "n3", "nor a host that is not selected any more"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("placement", "ago", "notes", "befall", "to"), [pytest.param(*row[:5], id=row[5]) for row in ROWS]
)
def test_whether_it_may_still_move(
    placement: dict[str, Any], ago: Sequence[float], notes: dict[str, str], befall: Befall, to: str
) -> None:
    world = world_of(placement, ago, notes)
    befall(world)
    found = consider(begin(world), world.services["shop/web"], world.instances["shop/web-0"])
    assert (found.host if isinstance(found, Move) else "") == to
    if not isinstance(found, Move):
        assert RESTS in found.why
        assert found.nowhere is not None and found.nowhere.look_again_s == world.now_s + PERIOD_S - 45 * 60


@pytest.mark.parametrize(
    ("ago", "is_kept"),
    [
        pytest.param(FOUR_IN_AN_HOUR, True, id="without it, it would be left where it is"),
        pytest.param((5, 20, 30, 60, 70), False, id="it would not"),
    ],
)
def test_a_clear_is_kept_while_it_alone_lets_it_go_on(ago: Sequence[float], is_kept: bool) -> None:
    """Where no host is ready this very round, it must still count in the next."""
    world = world_of(APART, ago, CLEARED)
    known = world.assignments["n1"].spec
    orders = {uid: order.model_copy(update={"cleared": 1}) for uid, order in known.instances.items()}
    world.put_assignment(
        world.assignments["n1"].model_copy(update={"spec": known.model_copy(update={"instances": orders})})
    )
    assert (spent_clear(world, world.services["shop/web"]) == []) is is_kept


def test_a_time_that_is_none_keeps_nothing_where_it_is() -> None:
    world = world_of(APART, FOUR_IN_AN_HOUR, {})
    known = world.instances["shop/web-0"]
    grants = [one.model_copy(update={"at": "2026-02-30T12:00:00Z"}) for one in known.spec.grants or ()]
    world.put_instance(known.model_copy(update={"spec": known.spec.model_copy(update={"grants": grants})}))
    found = consider(begin(world), world.services["shop/web"], world.instances["shop/web-0"])
    assert isinstance(found, Move) and found.host == "n2"
