"""What nobody has foreseen in one object stops the plan of no other; a broken invariant stops all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from backstay_api.objects.models import HAService, ServiceClass
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.actions import Assign, SealLease, WriteHostStatus, WriteInstance, WriteServiceStatus
from backstay_operator.planner.know.reading import put as read
from backstay_operator.planner.know.world import World
from backstay_operator.planner.losses import each_host, losses
from backstay_operator.planner.plan import plan
from backstay_operator.planner.rebalance import proposals
from backstay_operator.planner.tell.class_status import class_statuses
from backstay_testing.builders import a_host, a_service, an_instance, unit
from backstay_testing.worlds import SILENT_S, a_world, add_host, make_ours, put, say_ready


class Odd(Mapping[str, str]):
    """Annotations that cannot be read."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def __getitem__(self, name: str) -> Any:
        raise self._error(name)

    def get(self, name: str, default: Any = None) -> Any:
        raise self._error(name)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("error", [OverflowError, RecursionError, KeyError, TypeError, AttributeError, UnicodeError])
def test_what_is_raised_over_one_service_is_told_in_its_status_and_others_are_granted(error: type[Exception]) -> None:
    world = a_world("n1", "n2")
    bad, good = a_service("bad"), a_service("good", unit("good"))
    bad = bad.model_copy(update={"metadata": bad.metadata.model_copy(update={"annotations": Odd(error)})})
    for service in (bad, good):
        put(world, service)
        say_ready(world, service, "n1")
        say_ready(world, service, "n2")
    made = plan(world).actions
    told = {one.before.key: one.status for one in made if isinstance(one, WriteServiceStatus)}
    ready = {key: one for key, status in told.items() for one in status.conditions if one.type == "Ready"}
    assert ready["shop/bad"].reason == "CannotBePlanned" and error.__name__ in ready["shop/bad"].message
    assert ready["shop/good"].reason == "Waiting"


def test_a_broken_invariant_is_no_odd_object() -> None:
    world, service = a_world("n1"), a_service("bad")
    odd = service.model_copy(
        update={"metadata": service.metadata.model_copy(update={"annotations": Odd(AssertionError)})}
    )
    put(world, odd)
    with pytest.raises(AssertionError):
        plan(world)


def test_what_cannot_be_planned_keeps_no_host_from_being_fenced_and_no_unit_from_being_secured() -> None:
    world = a_world("n2")
    add_host(world, "n1", silent_s=SILENT_S, has_device=True)
    bad, good = a_service("bad"), a_service("good", unit("good"))
    placement = bad.spec.placement.model_copy(update={"capacity": {"cpu": float("inf")}})
    odd = bad.model_copy(update={"spec": bad.spec.model_copy(update={"placement": placement})})
    put(world, odd, epoch=1, host="n1")
    put(world, good, epoch=1, host="n1")
    say_ready(world, good, "n2")
    made = plan(world).actions
    assert [one.before.host for one in made if isinstance(one, SealLease)] == ["n1"], "good could be taken over"
    (told,) = [one.status for one in made if isinstance(one, WriteServiceStatus) and one.before.key == "shop/bad"]
    assert "CannotBePlanned" in [one.reason for one in told.conditions]
    (of_n1,) = [one.status for one in made if isinstance(one, WriteHostStatus) and one.before.metadata.name == "n1"]
    assert "'NotKnown'" in str(of_n1["conditions"]), "what is asked of the host's capacity"


def test_units_stay_secured_while_a_plan_could_not_be_made() -> None:
    world, service = a_world("n1", "n2", "n3", "n4", "n5"), a_service("bad")
    put(world, service)
    before = world.assignments["n5"]
    world.put_assignment(
        before.model_copy(update={"spec": before.spec.model_copy(update={"secured": ["web.service"]})})
    )
    odd = service.model_copy(update={"metadata": service.metadata.model_copy(update={"annotations": Odd(KeyError)})})
    world.put_service(odd)
    told = {one.host: one.spec.secured for one in plan(world).actions if isinstance(one, Assign)}
    assert told.get("n5", ["web.service"]) == ["web.service"]


def odd(service: HAService) -> HAService:
    return service.model_copy(update={"metadata": service.metadata.model_copy(update={"annotations": Odd(KeyError)})})


def needs(name: str, cpu: object) -> HAService:
    made = a_service(name, unit(name))
    placement = made.spec.placement.model_copy(update={"capacity": {"cpu": cpu}})
    return made.model_copy(update={"spec": made.spec.model_copy(update={"placement": placement})})


def on_n1(*names: str) -> World:
    """Services on n1, of which the first cannot be planned; n2 is free."""
    services = [a_service(name, unit(name)) for name in names]
    world = offline.as_if_running(
        [a_host("n1"), a_host("n2")], services, [an_instance(one, epoch=1, host="n1") for one in services]
    )
    whatif.outcome(world, whatif.holders(world))
    world.put_service(odd(world.services[f"shop/{names[0]}"]))
    return world


def test_where_it_waits_others_that_wait_with_it_find_room() -> None:
    world = a_world()
    add_host(world, "n1", capacity={"cpu": 4})
    add_host(world, "n2", capacity={"cpu": 3})
    for service in (needs("bad", float("inf")), needs("a", 2), needs("b", 2), needs("c", 3)):
        say_ready(world, service, "n1", "n2", uid=put(world, service, epoch=1).uid)
    make_ours(world)
    granted = {one.before.key: one.spec.grant for one in plan(world).actions if isinstance(one, WriteInstance)}
    assert {key: grant.host for key, grant in granted.items() if grant} == {
        "shop/a-0": "n1",
        "shop/b-0": "n1",
        "shop/c-0": "n2",
    }


def test_others_are_spread_more_evenly() -> None:
    moves = [(one.instance, one.to) for one in proposals(on_n1("bad", "a", "b"))]
    assert moves == [("a-0", "n2")]


def test_it_is_known_where_others_would_go_if_a_host_were_lost() -> None:
    world = on_n1("bad", "a")
    world.put_host(a_host("n2", mode="Cordon"))
    found = losses(world, each_host(world))
    (left,) = [key for one in found.each for key, _ in one.left if one.domain.hosts == ("n1",)]
    assert left == "shop/a-0"


def test_other_classes_are_judged() -> None:
    world = a_world("n1")
    put(world, a_service("web"))
    for name in ("bad", "good"):
        spec = {"namespaces": ["shop"], "allow": [{"units": ["*"]}]}
        read(world, ServiceClass.from_wire({"metadata": {"name": name, "generation": 1}, "spec": spec}))
    known = world.classes["bad"]
    world.classes["bad"] = known.model_copy(update={"spec": known.spec.model_copy(update={"allow": [None]})})
    assert [one.before.metadata.name for one in class_statuses(world)] == ["good"]
