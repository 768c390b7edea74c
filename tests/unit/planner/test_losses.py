"""Who would be left over if a host were lost, of all services together: each case by itself would be called safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from backstay_api.objects.models import HAService, ServiceClass
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.promotion import freshness, is_not_passed_over
from backstay_operator.planner.judge.questions import Question
from backstay_operator.planner.know.losses import Domain
from backstay_operator.planner.know.world import World
from backstay_operator.planner.losses import by_label, copied, each_host, every_domain, losses, made_from, study
from backstay_testing.builders import a_host, a_service, an_instance, unit
from backstay_testing.promotions import BOTH, SCORED_ROLE, answered, held_by
from backstay_testing.worlds import a_world, all_of

ROOM = {"cpu": 4}


def needs(name: str, cpu: int, **placement: Any) -> HAService:
    return a_service(name, unit(name), placement={"capacity": {"cpu": cpu}, **placement})


def plain(name: str, **spec: Any) -> HAService:
    return a_service(name, unit(name), **spec)


def on(held: Mapping[str, str], *services: HAService, racks: Sequence[str] = "abc") -> World:
    """Three hosts with room for four, and each service on the host that it is held by, all of it told and asked."""
    hosts = [a_host(f"n{number}", labels={"rack": rack}, capacity=ROOM) for number, rack in enumerate(racks, start=1)]
    there = [an_instance(one, epoch=1, host=held[one.metadata.name]) for one in services if one.metadata.name in held]
    world = offline.as_if_running(hosts, services, there)
    whatif.outcome(world, whatif.holders(world))
    return world


ONLY_N1_N2 = {"hosts": {"matchExpressions": [{"key": "rack", "operator": "In", "values": ["a", "b"]}]}}


def apart_from(name: str) -> Any:
    return {"apart": [{"service": name, "required": True}]}


ON_RACK_A = {"hosts": {"matchLabels": {"rack": "a"}}}
AFTER_DB = [{"service": "db"}]


@pytest.mark.parametrize(
    ("held", "services", "left"),
    [
        pytest.param({"a": "n1"}, [needs("a", 4)], {}, id="there is room for one"),
        pytest.param(
            {"a": "n1", "b": "n1", "c": "n2", "d": "n3"},
            [needs("a", 2), needs("b", 2), needs("c", 2), needs("d", 4)],
            {"shop/b-0": "2 have too little cpu: 2 asked for"},
            id="two count on the same room",
        ),
        pytest.param(
            {"a": "n1", "b": "n2"},
            [plain("a", placement=ONLY_N1_N2), plain("b", placement={**ONLY_N1_N2, **apart_from("a")})],
            {"shop/a-0": "1 has what it must be apart from: shop/b"},
            id="the only standby runs what it must be apart from",
        ),
        pytest.param(
            {"db": "n1", "app": "n2"},
            [plain("db", placement=ON_RACK_A), plain("app", dependsOn=AFTER_DB)],
            {"shop/db-0": "2 are not selected"},
            id="what requires the one that is lost runs on where it is",
        ),
        pytest.param(
            {"db": "n1", "app": "n1"},
            [plain("db", placement=ON_RACK_A), plain("app", dependsOn=AFTER_DB)],
            {"shop/db-0": "2 are not selected", "shop/app-0": "it requires shop/db"},
            id="and where both are lost neither starts",
        ),
        pytest.param(
            {"big": "n1", "small": "n2", "other": "n3"},
            [needs("big", 4, priority=9), needs("small", 3), needs("other", 4, priority=9)],
            {"shop/small-0": "it gives way on n2 to shop/big"},
            id="what is less important is stopped for it, though its own host is not lost",
        ),
        pytest.param(
            {"a": "n1", "b": "n1"},
            [
                plain("a", placement=ONLY_N1_N2),
                plain("b", placement={"together": [{"service": "a", "required": True}]}),
            ],
            {},
            id="what must be together goes together",
        ),
    ],
)
def test_who_is_left_over_and_why(
    held: Mapping[str, str], services: Sequence[HAService], left: Mapping[str, str]
) -> None:
    found = dict(losses(on(held, *services), [Domain("n1", ("n1",))]).each[0].left)
    assert found.keys() == left.keys()
    for key, why in left.items():
        assert why in found[key], found[key]


def test_a_rack_is_lost_as_a_whole_where_a_spread_or_the_settings_name_it() -> None:
    spread = {"spread": [{"topologyKey": "rack", "maxSkew": 1}]}
    world = on({}, plain("web", mode="Replicated", replicas=2, placement=spread), racks="aab")
    assert [one.name for one in every_domain(world)] == ["n1", "n2", "n3", "rack=a", "rack=b"]
    assert [one.hosts for one in by_label(world, "rack")] == [("n1", "n2"), ("n3",)]
    found = {one.domain.name: [key for key, _ in one.left] for one in losses(world, every_domain(world)).each}
    (copy_in_a,) = (key for key, host in whatif.holders(world).items() if host in ("n1", "n2"))
    assert found["rack=a"] == [copy_in_a] and found["n1"] == found["n2"] == []
    assert [one.name for one in every_domain(on({}, plain("web")))] == ["n1", "n2", "n3"]


def test_one_piece_decides_about_one_service() -> None:
    """Three rounds: where it goes, that it is told, and that nothing is left to be done."""
    world = on({"a": "n1", "b": "n1", "c": "n2"}, plain("a"), plain("b"), plain("c"))
    assert len(list(study(copied(world), [Domain("n1", ("n1",))]))) == 1 + 3 + 2 + 2
    assert len(list(study(copied(world), [Domain("n3", ("n3",))]))) == 1


def test_what_only_tells_is_no_reason_to_look_again() -> None:
    world = on({"a": "n1"}, plain("a"))
    before = made_from(world)
    known = world.services["shop/a"]
    world.put_service(known.model_copy(update={"status": known.status.model_copy(update={"host": "n1"})}))
    world.now_s += 0.1
    assert made_from(world) == before
    world.classes["shop"] = ServiceClass.model_validate(
        {"metadata": {"name": "shop"}, "spec": {"namespaces": ["shop"]}}
    )
    assert made_from(world) != before, "a class may forbid that anything starts"
    world.classes.clear()
    world.put_service(known.model_copy(update={"spec": known.spec.model_copy(update={"state": "Stopped"})}))
    assert made_from(world) != before


def test_one_odd_object_ends_the_look_at_nobody() -> None:
    """Its service is refused, and somebody deletes its HAInstance: none is made again."""
    world = on({"a": "n1", "b": "n1"}, plain("a"), plain("b"))
    world.classes["b"] = ServiceClass.model_validate(
        {"metadata": {"name": "b"}, "spec": {"namespaces": ["shop"], "allow": [{"units": ["b.service"]}]}}
    )
    odd = world.instances["shop/a-0"]
    meta = odd.metadata.model_copy(update={"deletion_timestamp": "2026-03-01T12:00:00Z"})
    world.put_instance(odd.model_copy(update={"metadata": meta}))
    (found,) = losses(world, [Domain("n1", ("n1",))]).each
    assert "shop/b-0" in found.held and [key for key, _ in found.left] == ["shop/a-0"]


def test_the_hosts_are_those_that_are_known() -> None:
    assert [one.hosts for one in each_host(on({}))] == [("n1",), ("n2",), ("n3",)]


def test_in_the_picture_each_host_says_at_once_how_far_its_data_goes_after_what_was_promoted_is_lost() -> None:
    world = a_world("n1", "n2", "n3")
    all_of(BOTH, answered("n1", 7, 0), answered("n2", 5, 0), held_by("n3"))(world)
    whatif.lose(world, "n3", whatif.Told())
    ask = Question(world, SCORED_ROLE, world.instances["shop/web-promoted"])
    assert is_not_passed_over(ask, facts_of(world, "n1")) is None and freshness(ask, facts_of(world, "n1")) == 7
