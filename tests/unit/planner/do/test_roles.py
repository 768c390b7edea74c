"""What the OCF agents of copies are told of each other: where copies are up, which is promoted, and the latest of what any has noted."""

from __future__ import annotations

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models.roles import Attribute, RoleOrder
from backstay_operator.planner.do import roles
from backstay_operator.planner.do.orders import Wanted, assign
from backstay_operator.planner.know.fitting import fitted_roles
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, an_instance
from backstay_testing.worlds import a_world, amend, report, seal, silence

DB = {"name": "db", "ocf": {"agent": "heartbeat:redis", "instance": "db", "promotable": True}}
CART = a_service("cart", DB, mode="Promotable", replicas=2)
ROLE = 2
REPL = {"name": "db_REPL_INFO", "scope": "Cluster"}


def a_pair(*, promoted: str = "n1") -> World:
    """A copy on n1 and one on n2, and the promoted role on one of them, all of them up; n3 has nothing."""
    world = a_world("n1", "n2", "n3")
    world.put_service(CART)
    for slot, host in enumerate(["n1", "n2", promoted]):
        world.put_instance(an_instance(CART, epoch=slot + 1, host=host, slot=slot))
        report(world, CART, host, "Running", epoch=slot + 1, slot=slot)
    return world


def note(world: World, host: str, slot: int, *attributes: Raw) -> None:
    uid = f"uid-{CART.slots[slot]}"
    known = world.assignments[host].wire()["status"].get("roles", {})
    amend(world, host, "status", {"roles": {**known, uid: {"attributes": [*attributes]}}})


def told(world: World) -> dict[str, RoleOrder]:
    found = {host: order for host, uid, order in roles.told_by_host(world, CART, world.instances.values())}
    assert {(host, uid) for host, uid, _ in roles.told_by_host(world, CART, world.instances.values())} == {
        ("n1", "uid-cart-0"),
        ("n2", "uid-cart-1"),
    }
    return found


def noted(world: World) -> list[tuple[str, str | None]]:
    return [(one.name, one.value) for one in told(world)["n2"].attributes]


def test_each_copy_is_told_the_same() -> None:
    first, second = told(a_pair()).values()
    assert first == second == RoleOrder(promoted="n1", epoch=3, copies=["n1", "n2"])


@pytest.mark.parametrize(
    ("phase", "promoted", "epoch"),
    [("Starting", "", 0), ("Running", "n1", 3), ("Stopping", "", 0), ("Stuck", "", 0), ("Failed", "", 0)],
)
def test_promoted_is_what_its_host_says_runs(phase: str, promoted: str, epoch: int) -> None:
    world = a_pair()
    report(world, CART, "n1", phase, epoch=3, slot=ROLE)
    assert (told(world)["n2"].promoted, told(world)["n2"].epoch) == (promoted, epoch)


@pytest.mark.parametrize("gone", [silence, seal])
def test_of_a_host_that_is_gone_nothing_is_up(gone: object) -> None:
    world = a_pair()
    note(world, "n1", 0, {"name": "a", "scope": "Reboot", "host": "n1", "value": "x", "number": 1})
    assert noted(world) == [("a", "x")]
    gone(world, "n1")  # type: ignore[operator]
    assert told(world)["n2"] == RoleOrder(copies=["n2"]), "nor is there what lasts until it boots"


def test_a_host_is_called_as_it_calls_itself() -> None:
    world = a_pair()
    amend(world, "n1", "status", {"facts": {"hostname": "db1.example"}})
    assert told(world)["n2"].promoted == "db1.example" and told(world)["n2"].copies == ["db1.example", "n2"]


@pytest.mark.parametrize("name", ["db1 example", 'n2"/><x y="', "n2\n", "é", "n" * 300])
def test_a_host_that_gives_itself_an_odd_name_is_called_by_ours(name: str) -> None:
    world = a_pair()
    amend(world, "n1", "status", {"facts": {"hostname": name}})
    assert told(world)["n2"] == RoleOrder(promoted="n1", epoch=3, copies=["n1", "n2"])


@pytest.mark.parametrize("value", ["two\nlines", "\x00", "\x1b[2J"])
def test_what_no_agent_can_have_noted_is_told_to_none(value: str) -> None:
    world = a_pair()
    note(world, "n1", 0, {**REPL, "value": value, "number": 9})
    note(world, "n2", 1, {**REPL, "value": "n2", "number": 1})
    assert noted(world) == [("db_REPL_INFO", "n2")]


def test_a_host_without_a_copy_has_no_say_whatever_it_reports() -> None:
    world = a_pair()
    report(world, CART, "n3", "Running", epoch=1, slot=0)
    note(world, "n3", 0, {**REPL, "value": "n3", "number": 9})
    assert noted(world) == []


def test_the_greatest_number_counts_whoever_says_it() -> None:
    world = a_pair()
    note(world, "n1", 0, {**REPL, "value": "n1", "number": 3})
    note(world, "n2", 1, {**REPL, "value": "n2", "number": 4}, {**REPL, "name": "b", "value": "x", "number": 1})
    assert noted(world) == [("b", "x"), ("db_REPL_INFO", "n2")]
    note(world, "n1", 0, {**REPL, "number": 5})
    assert noted(world) == [("b", "x"), ("db_REPL_INFO", None)], "it was deleted"


def test_what_lasts_is_kept_by_whoever_was_told() -> None:
    world = a_pair()
    note(world, "n1", 0, {**REPL, "value": "n1", "number": 3}, {**REPL, "scope": "Reboot", "value": "x", "number": 1})
    kept = told(world)["n2"]
    amend(world, "n2", "spec", {"roles": {"uid-cart-1": kept.wire()}})
    note(world, "n1", 0)
    assert noted(world) == [("db_REPL_INFO", "n1")]


@pytest.mark.parametrize(("phase", "score"), [("Running", "100"), ("Starting", "1"), ("Stopped", "1")])
def test_what_who_was_promoted_noted_of_another_copy_is_known_after_it_while_that_copy_is_up(
    phase: str, score: str
) -> None:
    """So `pgsql` gives the copy that has every row its promotion score."""
    world = a_pair()
    of_it = {"name": "master-db", "scope": "Reboot", "host": "n2"}
    note(world, "n1", 0, {**of_it, "value": "100", "number": 3})
    note(world, "n2", 1, {**of_it, "value": "1", "number": 1})
    amend(world, "n2", "spec", {"roles": {"uid-cart-1": told(world)["n2"].wire()}})
    note(world, "n1", 0)
    seal(world, "n1")
    report(world, CART, "n2", phase, epoch=2, slot=1)
    note(world, "n2", 1, {**of_it, "value": "1", "number": 1})
    assert noted(world) == [("master-db", score)]


def test_there_is_room_for_so_many_and_what_was_deleted_goes_first() -> None:
    found = [Attribute(name=f"a{number:02}", scope="Cluster", value="x", number=1) for number in range(63)]
    gone = [Attribute(name=f"0{number}", scope="Cluster", number=1) for number in range(9)]
    kept = roles.latest([*gone, *found], of=[])
    assert len(kept) == 64 and [one.name for one in kept if one.value is None] == ["00"]


def test_one_service_that_has_noted_much_keeps_no_other_from_being_told() -> None:
    much = [Attribute(name=f"a{number}", scope="Cluster", value="é" * 512, number=1) for number in range(64)]
    few = RoleOrder(promoted="n2", epoch=3)
    found = fitted_roles(
        {"big": RoleOrder()},
        {"big": RoleOrder(attributes=much[:60]), "more": RoleOrder(attributes=much[:50]), "new": few},
    )
    assert [*found] == ["more", "new"] and found["new"] == few


def test_an_agent_without_roles_is_told_nothing() -> None:
    world = a_pair()
    plain = a_service("cart", {"name": "db", "ocf": {"agent": "heartbeat:redis"}}, mode="Promotable", replicas=2)
    assert [*roles.told_by_host(world, plain, world.instances.values())] == []


def test_a_host_is_told_once_with_a_reason() -> None:
    world = a_world("n1")
    wanted = Wanted({}, {}, roles={"u": RoleOrder(promoted="n2", epoch=3)})
    action = assign(world, "n1", wanted)
    assert action is not None and action.spec.roles == wanted.roles
    assert action.why.startswith("OCF agents with roles are told")
    world.put_assignment(world.assignments["n1"].model_copy(update={"spec": action.spec}))
    assert assign(world, "n1", wanted) is None
