"""Would anybody gain if a host were cut off: what could move, and what it requires."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.models import ServiceClass
from backstay_operator.planner.judge.takeover import why_left_alone
from backstay_operator.planner.know.reading import put as put_object
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, an_instance, an_order, being_deleted, unit
from backstay_testing.worlds import (
    SILENT_S,
    Befall,
    a_world,
    add_host,
    all_of,
    make_ours,
    nothing,
    put,
    report,
    running,
    say_ready,
    tell,
)

WEB = a_service()
NOBODY = "n1 is not fenced, because no other host could take over ("
LOCAL: dict[str, Any] = {"placement": {"hosts": {"matchLabels": {"disk": "local"}}}}


def scene(*others: str) -> World:
    """n1 is silent, and holds web, for which the others are ready."""
    world = a_world(*others)
    add_host(world, "n1", silent_s=SILENT_S, has_device=True)
    put(world, WEB, epoch=1, host="n1")
    say_ready(world, WEB, *others)
    return world


def left_alone(world: World) -> str:
    return why_left_alone(world, "n1", world.leases["n1"].lease.holder)


def ready_nowhere(world: World) -> None:
    say_ready(world, WEB, *(name for name in world.hosts if name != "n1"), ready=False, why="masked")


@pytest.mark.parametrize(("priority", "is_left"), [(1, False), (0, True), (-1, True)])
def test_who_would_take_over_by_having_what_is_less_important_stopped_gains(priority: int, is_left: bool) -> None:
    needs = {"capacity": {"cpu": 1}}
    world, web = scene(), a_service(placement={**needs, "priority": priority})
    put(world, web, epoch=1, host="n1")
    add_host(world, "n2", capacity={"cpu": 1})
    put(world, a_service("log", unit("log"), placement=needs), epoch=1, host="n2")
    say_ready(world, web, "n2")
    make_ours(world)
    assert bool(left_alone(world)) == is_left


def more_hosts(*names: str) -> Befall:
    """That have not been asked."""
    return all_of(*(lambda world, name=name: add_host(world, name) for name in names))


def stays(name: str = "log", **more: Any) -> Befall:
    """The host holds this, too, which can run only there."""

    def befall(world: World) -> None:
        put(world, a_service(name, unit(name), **LOCAL, **more), epoch=1, host="n1")

    return befall


def moves(name: str = "log", **more: Any) -> Befall:
    """The host holds this, too, which n2 is ready for."""

    def befall(world: World) -> None:
        service = a_service(name, unit(name), **more)
        put(world, service, epoch=1, host="n1")
        say_ready(world, service, "n2")

    return befall


def of_another_session(world: World) -> None:
    moves()(world)
    world.put_instance(an_instance(a_service("log", unit("log")), epoch=1, host="n1", seq=2))


def no_class_allows_it(world: World) -> None:
    spec = {"namespaces": ["shop"], "allow": [{"units": ["other.service"]}]}
    put_object(world, ServiceClass.from_wire({"metadata": {"name": "shop"}, "spec": spec}))


def recreated(world: World) -> None:
    world.put_service(WEB.model_copy(update={"metadata": WEB.metadata.model_copy(update={"uid": "uid-later"})}))


@pytest.mark.parametrize(
    ("befall", "why"),
    [
        pytest.param(nothing, "", id="another host is ready"),
        pytest.param(ready_nowhere, "shop/web: n2 ", id="no other host is"),
        pytest.param(lambda w: w.drop_instance("shop/web-0"), "", id="it holds nothing: nothing is said"),
        pytest.param(all_of(ready_nowhere, moves()), "", id="one of two could move"),
        pytest.param(
            all_of(ready_nowhere, moves(exclusive=False)), "shop/web: n2 ", id="what may run twice needs no fence"
        ),
        pytest.param(
            all_of(ready_nowhere, of_another_session), "shop/web: n2 ", id="what another session holds gains nothing"
        ),
        pytest.param(
            lambda w: w.services.clear(), "shop/web: it has no HAService that could be read)", id="its service is gone"
        ),
        pytest.param(no_class_allows_it, "shop/web: ", id="its manifest is refused"),
        pytest.param(recreated, "shop/web: it has no HAService that could be read)", id="another service has its name"),
        pytest.param(
            lambda w: w.put_service(being_deleted(WEB)), "shop/web: it is being deleted)", id="it is being deleted"
        ),
        pytest.param(
            lambda w: w.put_service(a_service(state="Stopped")),
            "shop/web: spec.state is Stopped)",
            id="it shall not run",
        ),
        pytest.param(
            all_of(*(stays(f"s{n}", state=state) for n, state in ((1, "Running"), (2, "Stopped"))), ready_nowhere),
            "shop/web: n2 is not ready: masked; shop/s1: n2 is not selected: has no label disk, not local; shop/s2: spec.state is Stopped)",
            id="each reason with who it holds for",
        ),
        pytest.param(lambda w: w.drop_host("n2"), "shop/web: there is no other host)", id="there is no other host"),
        pytest.param(
            all_of(ready_nowhere, more_hosts("n3", "n4")),
            "shop/web: n2 is not ready: masked, n3 has ",
            id="three are named",
        ),
        pytest.param(
            all_of(ready_nowhere, more_hosts("n3", "n4", "n5")),
            "shop/web: 0/4 hosts can run it: 3 have ",
            id="of more the reasons are counted",
        ),
    ],
)
def test_who_could_take_over(befall: Befall, why: str) -> None:
    world = scene("n2")
    befall(world)
    assert left_alone(world).startswith(NOBODY + why if why else "") and bool(left_alone(world)) == bool(why)


def test_three_reasons_are_told_at_most() -> None:
    world = scene("n2")
    ready_nowhere(world)
    for name, more in (("s1", {}), ("s2", {"state": "Stopped"})):
        stays(name, **more)(world)
    assert left_alone(world).count("shop/") == 3
    world.put_service(being_deleted(a_service("s3", unit("s3"))))
    world.put_instance(an_instance(a_service("s3", unit("s3")), epoch=1, host="n1"))
    assert left_alone(world).count("shop/") == 3


def needs(*names: str, type_: str = "Requires") -> dict[str, Any]:
    return {"dependsOn": [{"service": name, "type": type_} for name in names]}


def copies(name: str = "db", *, working: str = "", **more: Any) -> Befall:
    """A copy on n1 and one on n2; what works is told so."""

    def befall(world: World) -> None:
        service = a_service(name, unit(name), mode="Replicated", replicas=2, **more)
        put(world, service)
        for slot, host in enumerate(("n1", "n2")):
            instance = an_instance(service, epoch=1, host=host, slot=slot)
            world.put_instance(instance)
            if host == working:
                tell(world, host, instance, an_order(instance))
                report(world, service, host, "Running", epoch=1, slot=slot, healthy=True)

    return befall


def worked_here(world: World) -> None:
    """What is required worked, as the host last said."""
    stays("db")(world)
    instance = world.instances["shop/db-0"]
    tell(world, "n1", instance, an_order(instance))
    report(world, world.services["shop/db"], "n1", "Running", epoch=1, healthy=True)


@pytest.mark.parametrize(
    ("befall", "why"),
    [
        pytest.param(
            all_of(stays("db"), moves(**needs("db"))),
            "it requires shop/db: n2 is not selected",
            id="what it requires can only run here",
        ),
        pytest.param(
            all_of(stays("db"), moves(**needs("db", type_="After"))), "", id="what it only waits for is not required"
        ),
        pytest.param(all_of(moves("db"), moves(**needs("db"))), "", id="what it requires could move, too"),
        pytest.param(moves(**needs("db")), "", id="what it requires is not here"),
        pytest.param(all_of(copies(working="n2"), moves(**needs("db"))), "", id="what it requires works elsewhere"),
        pytest.param(
            all_of(worked_here, moves(**needs("db"))), "it requires shop/db: n2 is not selected", id="it worked here"
        ),
        pytest.param(all_of(copies(), moves(**needs("db"))), "it requires shop/db: n2 has", id="it works nowhere"),
        pytest.param(
            all_of(stays("a"), moves("b", exclusive=False, **needs("a", type_="After")), moves(**needs("b"))),
            "",
            id="what stays behind is only waited for",
        ),
        pytest.param(
            all_of(stays("a"), lambda w: w.put_service(a_service("b", unit("b"), **needs("a"))), moves(**needs("b"))),
            "",
            id="what requires it runs nowhere",
        ),
        pytest.param(
            all_of(stays("a"), copies("b", working="n2", **needs("a")), moves(**needs("b"))),
            "",
            id="what requires it works elsewhere",
        ),
        pytest.param(
            all_of(stays("a"), stays("b", **needs("a")), moves(**needs("b"))),
            "it requires shop/b: n2 is not selected",
            id="each has its own reason",
        ),
        pytest.param(
            all_of(stays("a"), moves("b", **needs("a")), moves(**needs("b"))),
            "it requires shop/a: n2 is not selected",
            id="and through others",
        ),
        pytest.param(
            all_of(stays("a"), moves("b", **needs("a", type_="After")), moves(**needs("b"))),
            "",
            id="but not through what only waits",
        ),
        pytest.param(
            all_of(
                stays("a"),
                lambda w: running(w, a_service("b", unit("b"), **needs("a")), "n2"),
                lambda w: report(w, a_service("b", unit("b")), "n2", "Running", epoch=2, healthy=True),
                moves(**needs("b")),
            ),
            "",
            id="nor through what runs elsewhere",
        ),
    ],
)
def test_who_could_take_over_what_requires_something(befall: Befall, why: str) -> None:
    world = scene("n2")
    all_of(ready_nowhere, befall)(world)
    assert why in left_alone(world) and bool(left_alone(world)) == bool(why)


def test_nobody_gains_where_all_require_directly_or_not_what_can_only_run_here() -> None:
    world = a_world("n2")
    add_host(world, "n1", silent_s=SILENT_S, has_device=True)
    for number in range(12):
        more: dict[str, Any] = {"dependsOn": [{"service": f"s{number + 1:03}"}]} if number < 11 else {}
        if number == 11:
            more = LOCAL
        service = a_service(f"s{number:03}", unit(f"s{number:03}"), **more)
        put(world, service, epoch=1, host="n1")
        say_ready(world, service, "n2")
    assert "it requires shop/s011: n2 is not selected" in left_alone(world)
