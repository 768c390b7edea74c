"""Grants as they are written: once, by version, and none that breaks a rule."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.memory.server import MemoryApi
from backstay_api.objects.models.instance import Closed, Grant, HAInstanceSpec, ServiceRef
from backstay_api.objects.object_kinds import HA_INSTANCES
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_operator.control.act.apply import Outcome, Writer
from backstay_operator.control.act.checks import check_step
from backstay_operator.control.watch.cache import Cache
from backstay_operator.planner.actions import CreateInstance, DeleteInstance, WriteInstance
from backstay_operator.planner.do.finalizers import INSTANCE_FINALIZER
from backstay_testing.apply_bench import SESSION, Bench, granted
from backstay_testing.control_scene import WALL


@in_virtual_time
async def test_a_grant_is_written_once_and_what_came_back_is_in_the_cache() -> None:
    bench = Bench()
    assert await bench.do(CreateInstance("shop", "web-0", instance_spec(), "it has none")) is Outcome.DONE
    first = bench.cache.world.instances["shop/web-0"]
    assert first.metadata.finalizers == [INSTANCE_FINALIZER]
    assert await bench.do(WriteInstance(first, granted(first), "go")) is Outcome.DONE
    assert bench.cache.world.held_by["n1"] == {"shop/web-0"}
    assert await bench.do(WriteInstance(first, granted(first), "go")) is Outcome.LOOK_AGAIN, (
        "decided from the old version"
    )
    assert bench.body(HA_INSTANCES, "web-0", "shop")["spec"]["epoch"] == 1


@in_virtual_time
async def test_of_two_grants_decided_from_one_version_one_wins_and_the_other_learns_who_holds_it() -> None:
    bench, rival = Bench(), None
    instance = bench.add_instance()
    rival = Writer(MemoryApi(bench.cluster, actor="rival"), Cache(clock=lambda: 0.0, wall=lambda: WALL))
    await rival.apply(WriteInstance(instance, granted(instance), "I was quicker"))
    assert bench.cache.world.instances["shop/web-0"].spec.epoch == 0
    assert await bench.do(WriteInstance(instance, granted(instance), "me too")) is Outcome.LOOK_AGAIN
    assert bench.cache.world.instances["shop/web-0"].spec.epoch == 1


def instance_spec(**more: Any) -> HAInstanceSpec:
    return HAInstanceSpec(service=ServiceRef(name="web", uid="s"), exclusive=True, **more)


GRANT = Grant(host="n1", session=SESSION, machine_uuid="m")
ELSEWHERE = GRANT.model_copy(update={"host": "n2"})
RELEASED = Closed(epoch=1, evidence="Released")


def unchecked(**fields: Any) -> HAInstanceSpec:
    """A spec that a broken planner might send: the model itself would refuse it."""
    return instance_spec().model_copy(update=fields)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        pytest.param(unchecked(epoch=2, grant=ELSEWHERE), "evidence", id="a second grant without evidence"),
        pytest.param(
            unchecked(epoch=3, grant=ELSEWHERE, closed=Closed(epoch=2, evidence="Boot")), "one", id="skipped epoch"
        ),
        pytest.param(unchecked(epoch=1, grant=ELSEWHERE), "never changes", id="the same epoch for another host"),
        pytest.param(unchecked(epoch=1, grant=None), "grant", id="a grant that ends without evidence"),
    ],
)
def test_a_step_that_breaks_a_rule_of_grants_is_never_sent(after: HAInstanceSpec, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_step(unchecked(epoch=1, grant=GRANT), after)


@in_virtual_time
async def test_hands_end_the_process_rather_than_send_a_grant_without_evidence() -> None:
    bench = Bench()
    instance = bench.add_instance(epoch=1, granted=True)
    with pytest.raises(AssertionError, match="evidence"):
        await bench.do(WriteInstance(instance, unchecked(epoch=2, grant=ELSEWHERE), "somebody forgot to ask"))
    assert not bench.weather.requests


def test_a_proven_move_passes() -> None:
    check_step(unchecked(epoch=1, grant=GRANT), unchecked(epoch=2, grant=ELSEWHERE, closed=RELEASED))
    check_step(unchecked(epoch=1, grant=GRANT), unchecked(epoch=1, grant=None, closed=RELEASED))


@in_virtual_time
async def test_an_instance_goes_only_closed_and_in_two_steps_that_both_name_its_version() -> None:
    bench = Bench()
    instance = bench.add_instance(epoch=1, closed=1)
    assert await bench.do(DeleteInstance(instance, "its service is gone")) is Outcome.DONE
    assert not bench.cluster.bodies(HA_INSTANCES) and not bench.cache.world.instances
    again = bench.add_instance(epoch=1, granted=True)
    with pytest.raises(AssertionError, match="not closed"):
        await bench.do(DeleteInstance(again, "by mistake"))


@in_virtual_time
async def test_an_instance_that_was_granted_meanwhile_is_not_deleted() -> None:
    bench = Bench()
    instance = bench.add_instance()
    rival = Writer(MemoryApi(bench.cluster, actor="rival"), Cache(clock=lambda: 0.0, wall=lambda: WALL))
    await rival.apply(WriteInstance(instance, granted(instance), "granted"))
    assert await bench.do(DeleteInstance(instance, "gone")) is Outcome.LOOK_AGAIN
    assert "deletionTimestamp" not in bench.body(HA_INSTANCES, "web-0", "shop")["metadata"]


@in_virtual_time
async def test_an_instance_that_was_granted_or_made_anew_meanwhile_is_not_even_marked() -> None:
    bench = Bench()
    former = bench.add_instance()
    bench.cluster.patch(HA_INSTANCES, ("shop", "web-0"), {"metadata": {"finalizers": None}}, actor="admin")
    bench.cluster.delete(HA_INSTANCES, ("shop", "web-0"), actor="admin")
    made_anew = bench.add_instance()
    assert await bench.do(DeleteInstance(former, "gone")) is Outcome.LOOK_AGAIN
    spec = granted(made_anew).wire()
    bench.cluster.patch(HA_INSTANCES, ("shop", "web-0"), {"spec": spec}, actor="another replica")
    assert await bench.do(DeleteInstance(made_anew, "gone")) is Outcome.LOOK_AGAIN
    assert "deletionTimestamp" not in bench.body(HA_INSTANCES, "web-0", "shop")["metadata"]
