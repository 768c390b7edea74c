"""What is asked of each host is gathered anew only where a plan says something else about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

import pytest

from backstay_api.objects.models import Host
from backstay_dev.show import bench_plan
from backstay_operator.planner import by_host
from backstay_operator.planner.by_host import HostAsks, ServicePlan
from backstay_operator.planner.do.orders import Wanted, assign
from backstay_operator.planner.know.world import Settings, World
from backstay_operator.planner.plan import plan
from backstay_testing.builders import a_service, an_instance, an_order, unit
from backstay_testing.worlds import Befall, own_copy

KEY: Final = "default/s00000"
WEB: Final = an_instance(a_service("web", unit("web")), epoch=1, host="n1")
ORDER: Final = an_order(WEB)


@cache
def settled() -> World:
    return bench_plan.settled(replace(bench_plan.empty(6, 6), settings=Settings(keeps_plans_from=0, standbys=2)))


def asked(world: World) -> Mapping[str, HostAsks]:
    gathered: Any = world.kept[""][by_host._TOPIC][1]
    return gathered.by_host  # type: ignore[no-any-return]


def orders_kept(world: World) -> dict[str, int]:
    """By host: which answer to what is to be written there."""
    return {host: id(world.kept[host]["orders"][0]) for host in world.hosts}


def test_where_nothing_has_changed_nothing_is_gathered_and_no_host_is_looked_at_for_orders() -> None:
    world = own_copy(settled())
    plan(world)
    before, written = asked(world), orders_kept(world)
    plan(world)
    assert all(asked(world)[host] is one for host, one in before.items())
    assert orders_kept(world) == written


def test_an_edit_is_gathered_for_the_holder_and_the_standbys_alone() -> None:
    world = own_copy(settled())
    plan(world)
    before = asked(world)
    bench_plan._edit(world, 0)
    told = {action.ref.name for action in plan(world).actions if type(action).__name__ == "Assign"}
    assert len(told) == 2, "its standbys: what runs has an order already"
    holder = world.instances[f"{KEY}-0"].holder
    assert {host for host, one in asked(world).items() if one is not before[host]} == {holder, *told}


def test_a_new_host_is_asked_by_all() -> None:
    world = own_copy(settled())
    plan(world)
    world.put_host(Host.from_wire({**world.hosts["n0000"].wire(), "metadata": {"name": "n0009", "uid": "n9"}}))
    plan(world)
    assert asked(world)["n0009"].secured == {f"s{number:05}.service" for number in range(6)}


@pytest.mark.parametrize(
    ("before", "after", "anew"),
    [
        pytest.param({}, {}, set(), id="no plans"),
        pytest.param({"web": ServicePlan()}, {"web": ServicePlan()}, set(), id="another plan that asks nothing"),
        pytest.param({}, {"web": ServicePlan(orders=(("n1", WEB.uid, ORDER, ()),))}, {"n1"}, id="an order comes"),
        pytest.param(
            {"web": ServicePlan(orders=(("n1", WEB.uid, ORDER, ()),))}, {}, {"n1"}, id="an order goes with its plan"
        ),
        pytest.param(
            {"web": ServicePlan(orders=(("n1", WEB.uid, ORDER, ()),))},
            {"web": ServicePlan(orders=(("n2", WEB.uid, ORDER, ()),))},
            {"n1", "n2"},
            id="an order to another host",
        ),
        pytest.param(
            {"web": ServicePlan(units=("web.service",), candidates=("n1",))},
            {"web": ServicePlan(units=("web.service",), candidates=("n1", "n2"))},
            {"n1", "n2"},
            id="one more host may run it",
        ),
        pytest.param(
            {"web": ServicePlan(units=("web.service",), candidates=("n1",))},
            {"web": ServicePlan(units=("web.service",), candidates=("n1",))},
            set(),
            id="the same units and hosts",
        ),
        pytest.param(
            {"web": ServicePlan(units=("web.service",), candidates=("n1",))},
            {"web": ServicePlan(units=("db.service",), candidates=("n1",))},
            {"n1"},
            id="another unit",
        ),
    ],
)
def test_whom_a_change_concerns(before: dict[str, ServicePlan], after: dict[str, ServicePlan], anew: set[str]) -> None:
    world, hosts = World(), ("n1", "n2", "n3")
    by_host.wanted(world, before, hosts, frozenset(), keep_secured=False)
    known = asked(world)
    made = by_host.wanted(world, after, hosts, frozenset(), keep_secured=False)
    assert {host for host in hosts if asked(world)[host] is not known[host]} == anew
    assert made == by_host.wanted(World(), after, hosts, frozenset(), keep_secured=False), "as if gathered from nothing"


def is_in_other_hands(world: World) -> None:
    host = world.instances[f"{KEY}-0"].holder
    raw = world.hosts[host].wire()
    world.put_host(Host.from_wire({**raw, "spec": {**raw["spec"], "maintenance": {"mode": "HandsOff"}}}))


def is_told_of_no_unit(world: World) -> None:
    known = world.assignments[world.instances[f"{KEY}-0"].holder]
    world.put_assignment(known.model_copy(update={"spec": known.spec.model_copy(update={"secured": []})}))


def is_over(world: World) -> None:
    known = world.instances[f"{KEY}-0"]
    world.put_instance(known.model_copy(update={"spec": known.spec.model_copy(update={"grant": None})}))


@pytest.mark.parametrize(
    ("befall", "but"),
    [
        pytest.param(is_in_other_hands, "", id="the host is another"),
        pytest.param(is_told_of_no_unit, "", id="its HostAssignment is another"),
        pytest.param(is_over, KEY, id="what nobody wants there is over now"),
    ],
)
def test_what_is_to_be_written_is_seen_though_the_same_is_wanted(befall: Befall, but: str) -> None:
    world = own_copy(settled())
    plan(world)
    instance = world.instances[f"{KEY}-0"]
    said = asked(world)[instance.holder]
    left = {uid: order for uid, order in said.instances.items() if not (but and uid == instance.uid)}
    wanted = Wanted(*said._replace(instances=left))
    assert assign(world, instance.holder, wanted) is None
    befall(world)
    assert assign(world, instance.holder, wanted) is not None


def test_what_is_to_be_written_is_seen_where_another_thing_is_wanted() -> None:
    world = own_copy(settled())
    plan(world)
    instance = world.instances[f"{KEY}-0"]
    said = asked(world)[instance.holder]
    down = {uid: order.model_copy(update={"want": "Down"}) for uid, order in said.instances.items()}
    assert assign(world, instance.holder, Wanted(*said)) is None
    assert assign(world, instance.holder, Wanted(*said._replace(instances=down))) is not None
