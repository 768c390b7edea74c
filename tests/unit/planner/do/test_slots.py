"""Which instances a service has, and which of those that are there go when there are too many, as tables."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.do.slots import slots_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Gone, Still
from backstay_testing.builders import a_service, an_instance, an_order, being_deleted
from backstay_testing.worlds import Befall, a_world, add_host, all_of, nothing, report, silence, tell


def replicated(replicas: int | None, placement: Raw | None = None) -> HAService:
    return a_service(mode="Replicated", replicas=replicas, placement=placement or {})


def put(world: World, service: HAService, holders: Mapping[int, str]) -> None:
    """The service and its copies, which work where a host holds them."""
    world.put_service(service)
    wide = service.model_copy(update={"spec": service.spec.model_copy(update={"replicas": 9, "mode": "Replicated"})})
    for slot, holder in holders.items():
        world.put_instance(an_instance(wide, epoch=1, host=holder or None, slot=slot))
        if holder:
            report(world, wide, holder, "Running", epoch=1, slot=slot, healthy=True)


@pytest.mark.parametrize(
    ("service", "there", "names", "surplus"),
    [
        pytest.param(replicated(3), {}, "web-0 web-1 web-2", "", id="none is there yet"),
        pytest.param(replicated(None), {}, "web-0", "", id="one by default"),
        pytest.param(replicated(3), {1: "n1"}, "web-0 web-1 web-2", "", id="what is there keeps its name"),
        pytest.param(replicated(2), {1: "n1", 2: "n2"}, "web-1 web-2", "", id="whatever its number"),
        pytest.param(replicated(3), {0: "n1", 2: "n2"}, "web-0 web-1 web-2", "", id="the lowest free number is taken"),
        pytest.param(replicated(2), {0: "n1", 1: "n2", 2: "n3"}, "web-0 web-1", "web-2", id="of equals the highest number goes"),
        pytest.param(replicated(1), {0: "n1", 1: "n2", 2: "n3"}, "web-0", "web-1 web-2", id="and as many as are too many"),
        pytest.param(a_service(), {0: "n1", 1: "n2"}, "web-0", "web-1", id="Single has the first"),
        pytest.param(a_service(mode="EveryHost"), {0: "n1"}, "web.n1 web.n2 web.n3", "web-0", id="EveryHost names them by host"),
    ],
)  # fmt: skip
def test_which_slots_there_are(service: HAService, there: Mapping[int, str], names: str, surplus: str) -> None:
    world = a_world("n1", "n2", "n3")
    put(world, service, there)
    found = slots_of(world, service, is_accepted=True)
    assert (found.names, sorted(found.surplus)) == (tuple(names.split()), surplus.split())


SLOW: Raw = {"prefer": [{"hosts": {"matchLabels": {"slow": "yes"}}, "weight": -5}]}


def drained(world: World) -> None:
    add_host(world, "n1", mode="Drain")
    report(world, replicated(3), "n1", "Running", epoch=1, healthy=True)


def slow(world: World) -> None:
    add_host(world, "n1", labels={"slow": "yes"})
    report(world, replicated(3), "n1", "Running", epoch=1, healthy=True)


def busy(world: World) -> None:
    world.put_instance(an_instance(a_service("other"), epoch=1, host="n1"))


CHOSEN = "web-0 is wanted least: n1 has 2 instances, n3 1"


def stopping(world: World) -> None:
    known = world.instances["shop/web-0"]
    tell(world, "n1", known, an_order(known, "Down", why=f"spec.replicas is 2, and of 3 {CHOSEN}"))


def going(world: World) -> None:
    world.put_instance(being_deleted(world.instances["shop/web-0"]))


@pytest.mark.parametrize(
    ("holders", "befall", "why"),
    [
        pytest.param({0: "n1", 1: "n2", 2: ""}, nothing, "web-2 is wanted least: it runs nowhere", id="that which has no host"),
        pytest.param({0: "n1", 1: "n2", 2: ""}, going, "web-0 is wanted least: it is being deleted", id="sooner, what goes anyway"),
        pytest.param({0: "n1", 1: "n2", 2: ""}, stopping, CHOSEN, id="or has been chosen already: as it was told then"),
        pytest.param({0: "n1", 1: "n2", 2: "n3"}, lambda world: silence(world, "n1"),
                     "web-0 is wanted least: n1 has been silent for 30 s", id="that of a lost host"),
        pytest.param({0: "n1", 1: "n2", 2: "n3"}, lambda world: world.hosts.pop("n1"),
                     "web-0 is wanted least: n1 has no Host object any more", id="or of one that is gone"),
        pytest.param({0: "n1", 1: "n2", 2: "n3"}, drained, "web-0 is wanted least: n1 is being drained (new disks)", id="of a drained host"),
        pytest.param({0: "n1", 1: "n2", 2: "n3"}, lambda world: report(world, replicated(3), "n1", "Running", epoch=1, healthy=False),
                     "web-0 is wanted least: it does not work on n1", id="that which does not work"),
        pytest.param({0: "n1", 1: "n2", 2: "n3"}, lambda world: report(world, replicated(3), "n1", "Running", epoch=9),
                     "web-0 is wanted least: n1 has not answered yet", id="or is not known to"),
        pytest.param({0: "n1", 1: "n2", 2: "n3"}, slow,
                     "web-0 is wanted least: n1 is preferred by -5, n3 by +0", id="on the host that is preferred least"),
        pytest.param({0: "n1", 1: "n2", 2: "n3"}, busy,
                     "web-0 is wanted least: n1 has 2 instances, n3 1", id="on the host that has most to do"),
        pytest.param({0: "n1", 1: "n2", 2: "n3"}, nothing,
                     "web-2 is wanted least: all run as well, and its number is the highest", id="the one that came last"),
        pytest.param({0: "n1", 1: "n2", 2: ""}, all_of(slow, lambda world: silence(world, "n2")),
                     "web-2 is wanted least: it runs nowhere", id="what does not run before any preference"),
    ],
)  # fmt: skip
def test_scaling_down_takes_what_is_wanted_least_and_says_why(
    holders: Mapping[int, str], befall: Befall, why: str
) -> None:
    world, service = a_world("n1", "n2", "n3"), replicated(2, placement=SLOW)
    put(world, service, holders)
    befall(world)
    ((name, surplus),) = slots_of(world, service, is_accepted=True).surplus.items()
    assert surplus.why == f"spec.replicas is 2, and of 3 {why}"
    kept = sorted(one.name for one in surplus.needs if isinstance(one, Still) and one.version)
    assert kept == sorted({"web-0", "web-1", "web-2"} - {name}), "another operator may have chosen another one"


def test_a_refused_manifest_takes_no_copy_away_and_adds_none() -> None:
    world = a_world("n1", "n2")
    put(world, replicated(1), {0: "n1", 3: "n2"})
    assert slots_of(world, replicated(1), is_accepted=False).names == ("web-0", "web-3")
    assert slots_of(world, a_service(mode="EveryHost"), is_accepted=False).names == ("web-0", "web-3")
    assert slots_of(a_world("n1"), a_service(), is_accepted=False).names == ("web-0",)


def test_an_instance_that_cannot_be_read_keeps_its_slot() -> None:
    world = a_world("n1", "n2")
    put(world, replicated(2), {0: "n1", 1: "n2"})
    world.unreadable["HAInstance", "shop/web-5"] = Unreadable("HAInstance", "shop/web-5", "nonsense")
    found = slots_of(world, replicated(2), is_accepted=True)
    assert (found.names, [*found.surplus]) == (("web-0", "web-5"), ["web-1"])


POOL: Raw = {"hosts": {"matchLabels": {"pool": "a"}}}


def test_a_copy_of_a_host_that_is_not_selected_goes_while_that_host_is_as_it_was_read() -> None:
    world, service = a_world("n1"), a_service(mode="EveryHost", placement=POOL)
    world.put_service(service)
    add_host(world, "n2", labels={"pool": "a"})
    for name in ("n1", "n3"):
        known = an_instance(a_service())
        meta = known.metadata.model_copy(update={"name": f"web.{name}", "uid": f"uid-web.{name}"})
        world.put_instance(known.model_copy(update={"metadata": meta}))
    found = slots_of(world, service, is_accepted=True)
    assert found.names == ("web.n2",)
    assert {name: one.why for name, one in found.surplus.items()} == {
        "web.n1": "n1 is not selected by placement.hosts any more",
        "web.n3": "there is no host n3 any more",
    }
    (still,), (gone,) = found.surplus["web.n1"].needs, found.surplus["web.n3"].needs
    assert isinstance(still, Still) and (still.kind, still.name, still.version) == ("Host", "n1", "1")
    assert isinstance(gone, Gone) and (gone.kind, gone.name) == ("Host", "n3")
    world.unreadable["Host", "n3"] = Unreadable("Host", "n3", "nonsense")
    assert slots_of(world, service, is_accepted=True).names == ("web.n2", "web.n3")


def test_a_taint_keeps_copies_of_every_host_away_and_one_that_is_there_goes_only_for_no_execute() -> None:
    world, service = a_world(), a_service(mode="EveryHost")
    world.put_service(service)
    add_host(world, "n1", taints=["gpu=yes:NoSchedule"])
    assert slots_of(world, service, is_accepted=True).names == ()
    known = an_instance(a_service(), epoch=1, host="n1")
    meta = known.metadata.model_copy(update={"name": "web.n1", "uid": "uid-web.n1"})
    world.put_instance(known.model_copy(update={"metadata": meta}))
    assert slots_of(world, service, is_accepted=True).names == ("web.n1",)
    add_host(world, "n1", taints=["gpu=yes:NoExecute"])
    (surplus,) = slots_of(world, service, is_accepted=True).surplus.values()
    assert surplus.why == "n1 has a taint that it does not tolerate: gpu=yes:NoExecute"
