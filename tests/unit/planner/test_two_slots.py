"""What has failed in one slot of a service says nothing of another: a pair."""

from __future__ import annotations

import json

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_api.objects.models.service import HAServiceStatus
from backstay_operator.planner.actions import Assign, DeleteInstance, RemoveClear
from backstay_operator.planner.do.clears import spent_clear
from backstay_operator.planner.do.decisions import decide
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.judge import placement
from backstay_operator.planner.judge.placement import Placed
from backstay_operator.planner.know.clearing import CLEAR_ANNOTATION
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_operator.planner.preconditions import Still
from backstay_operator.planner.tell.status import service_status
from backstay_testing.builders import WALL, a_service, an_instance, annotated
from backstay_testing.worlds import a_world, renew, report, running, say_ready

FAILED = {"slot": "web-0", "host": "n1", "epoch": 2, "at": WALL, "why": "exit code 1"}
MOVED = {"slot": "web-0", "epoch": 2, "from": "n2", "to": "n1", "at": WALL}


def a_pair(
    world: World, *, failures: list[Raw] | None = None, moves: list[Raw] | None = None, clear: Raw | None = None
) -> HAService:
    """Both instances are at epoch 2, closed."""
    status = {"observedGeneration": 1, "startFailures": failures or [], "moves": moves or []}
    moves_told = {"moves": {"limit": 1, "per": "1h"}}
    pair = a_service(status=status, recovery=moves_told, mode="Replicated", replicas=2, exclusive=True)
    pair = annotated(pair, {CLEAR_ANNOTATION: json.dumps(clear)}) if clear else pair
    world.put_service(pair)
    for slot in (0, 1):
        world.put_instance(an_instance(pair, epoch=2, slot=slot))
    return pair


def where(world: World, pair: HAService, slot: int) -> str:
    """The host that an instance may start on; empty: none."""
    say_ready(world, pair, *world.hosts, slot=slot)
    answer = placement.place(world, pair, world.instances[f"shop/web-{slot}"])
    return answer.host if isinstance(answer, Placed) else ""


def told_of(world: World, pair: HAService) -> HAServiceStatus:
    return service_status(world, decide(begin(world), pair))


def test_a_failed_start_counts_against_the_host_for_its_own_slot_only() -> None:
    world = a_world("n1")
    pair = a_pair(world, failures=[FAILED])
    assert [where(world, pair, slot) for slot in (0, 1)] == ["", "n1"]


def test_each_slot_has_moves_of_its_own() -> None:
    world = a_world("n1", "n2")
    pair = a_pair(world, moves=[MOVED], failures=[{**FAILED, "slot": slot} for slot in ("web-0", "web-1")])
    assert [where(world, pair, slot) for slot in (0, 1)] == ["", "n2"]


def test_two_starts_that_fail_in_epochs_of_one_number_are_both_told_and_each_is_forgotten_in_its_time() -> None:
    world = a_world("n1")
    pair = a_pair(world, failures=[FAILED])
    world.now_s += 300
    renew(world, "n1")
    report(world, pair, "n1", "Failed", epoch=2, why="exit code 2", slot=1)
    told = told_of(world, pair)
    assert [(one.slot, one.host, one.why) for one in told.start_failures] == [
        ("web-0", "n1", "exit code 1"),
        ("web-1", "n1", "exit code 2"),
    ]
    world.put_service(pair.model_copy(update={"status": told}))
    world.now_s += 301
    renew(world, "n1")
    assert [one.slot for one in told_of(world, pair).start_failures] == ["web-1"]


def test_moves_of_two_slots_in_epochs_of_one_number_are_both_told() -> None:
    world = a_world("n1", "n2")
    pair = a_pair(world, moves=[MOVED, {**MOVED, "slot": "web-1"}])
    assert [one.slot for one in told_of(world, pair).moves] == ["web-0", "web-1"]


def test_a_clear_forgets_of_each_slot_what_somebody_has_seen() -> None:
    world = a_world("n1")
    word = {"epochs": {"web-0": 2, "web-1": 1}, "number": 1, "by": "eve", "reason": "a license was bought"}
    pair = a_pair(world, failures=[FAILED, {**FAILED, "slot": "web-1"}], clear=word)
    assert [where(world, pair, slot) for slot in (0, 1)] == ["n1", ""]
    assert [one.slot for one in told_of(world, pair).start_failures] == ["web-1"]


def test_a_clear_is_over_when_no_slot_needs_it_any_more() -> None:
    world = a_world("n1")
    word = {"epochs": {"web-0": 2, "web-1": 2}, "number": 1, "by": "eve", "reason": "a license was bought"}
    pair = a_pair(world, clear=word)
    report(world, pair, "n1", "Failed", epoch=2, slot=1)
    assert spent_clear(world, pair) == []
    report(world, pair, "n1", "Stopped", epoch=2, slot=1)
    why = "failures up to epoch 2 of web-0 and epoch 2 of web-1 are forgotten, by eve: a license was bought"
    assert spent_clear(world, pair) == [RemoveClear(pair, why)]


def test_what_has_used_up_its_moves_waits_for_the_host_that_its_own_slot_has_left() -> None:
    world = a_world("n1", "n2")
    pair = a_pair(world, moves=[MOVED, {**MOVED, "slot": "web-1"}])
    left = {"from": "n1", "to": "", "cause": "n1 is silent", "at": WALL}
    status = {**pair.status.wire(), "instances": [{"name": "web-0", "lastFailover": left}, {"name": "web-1"}]}
    world.put_service(HAService.model_validate({**pair.wire(), "status": status}))
    for slot in (0, 1):
        world.put_instance(an_instance(pair, epoch=2, slot=slot, evidence="Device"))
    assert [where(world, world.services["shop/web"], slot) for slot in (0, 1)] == ["n1", ""]


def test_an_instance_that_its_service_has_no_slot_for_is_stopped_and_deleted() -> None:
    world = a_world("n1", "n2")
    pair = a_pair(world)
    world.put_service(a_service())
    running(world, world.services["shop/web"], "n1")
    world.put_instance(an_instance(pair, epoch=2, slot=1, host="n2"))
    wanted = [made for made in plan(world).actions if isinstance(made, Assign) and made.host == "n2"][-1].spec.instances
    assert [(one.want, one.why) for one in wanted.values()] == [("Down", "its service has no such slot")]
    world.put_instance(an_instance(pair, epoch=2, slot=1))
    (deleted,) = [made for made in plan(world).actions if isinstance(made, DeleteInstance)]
    assert deleted.before.key == "shop/web-1"
    assert [need.uid for need in deleted.needs if isinstance(need, Still)] == ["uid-web"], "an edit may want it again"
