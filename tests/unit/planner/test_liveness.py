"""What silence says, as tables: the edges of each state, own trouble, the storm guard, the budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstay_api.objects.models import FenceRequest, Host, HostAssignment
from backstay_operator.planner.actions import DeleteFence
from backstay_operator.planner.do.fences import fence_actions, guard
from backstay_operator.planner.judge.budget import spent_budget, told
from backstay_operator.planner.judge.storm import storm
from backstay_operator.planner.know.liveness import Liveness, of_host
from backstay_operator.planner.know.world import LeaseSeen, OwnPath, World
from backstay_testing.worlds import NOW_S, a_service, a_world, add_host, an_instance, say_ready, session

ALL = frozenset({"n1", "n2", "n3", "n4"})
LATE_S = 30.0


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        pytest.param(0.0, Liveness.QUIET, id="just renewed"),
        pytest.param(0.75, Liveness.QUIET, id="one and a half renewals: not late yet"),
        pytest.param(0.751, Liveness.SUSPECT, id="late"),
        pytest.param(1.5, Liveness.SUSPECT, id="three renewals: not silent yet"),
        pytest.param(1.501, Liveness.SILENT, id="silent"),
    ],
)
def test_the_edges_are_those_of_the_contract_that_the_host_published(age_s: float, expected: Liveness) -> None:
    world = a_world()
    add_host(world, "n1", silent_s=age_s)
    assert of_host(world, "n1") is expected


def test_a_lease_that_nobody_ever_held_says_nothing() -> None:
    world = a_world("n1")
    seen = world.leases["n1"]
    world.leases["n1"] = replace(seen, lease=replace(seen.lease, holder="", seq=0))
    assert of_host(world, "n1") is Liveness.UNKNOWN
    assert of_host(world, "n9") is Liveness.UNKNOWN


@pytest.mark.parametrize(
    ("own_path", "expected"),
    [
        pytest.param(OwnPath(), Liveness.SILENT, id="a healthy path: silence is the host's own"),
        pytest.param(OwnPath(healthy=False), Liveness.UNSURE, id="a broken path: it may be ours"),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 1.0), Liveness.SUSPECT, id="what passed before it came back counts for nothing"
        ),
        pytest.param(OwnPath(recovered_s=NOW_S - 5, lived_before=ALL), Liveness.UNSURE, id="nobody has renewed since"),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 5, lived_before=ALL, renewed_since=frozenset({"n2", "n3"})),
            Liveness.UNSURE,
            id="half have: not more than half",
        ),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 5, lived_before=ALL, renewed_since=ALL - {"n1"}),
            Liveness.SILENT,
            id="most have",
        ),
        pytest.param(OwnPath(recovered_s=NOW_S - 10, lived_before=ALL), Liveness.SILENT, id="ten seconds have passed"),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 5, lived_before=ALL, renewed_since=frozenset({"n7", "n8", "n9"})),
            Liveness.UNSURE,
            id="hosts that were dead before do not count",
        ),
    ],
)
def test_own_trouble_first(own_path: OwnPath, expected: Liveness) -> None:
    world = a_world()
    add_host(world, "n1", silent_s=100.0)
    world.own_path = own_path
    assert of_host(world, "n1") is expected


# --- the storm guard -------------------------------------------------------------------------------------------------


def lose(world: World, name: str, *, silent_s: float = LATE_S, holds: bool = False, mode: str = "") -> None:
    add_host(world, name, silent_s=silent_s)
    level = {"name": "bmc", "devices": [{"name": "bmc", "agent": "fence_redfish"}]}
    spec = {"fencing": {"levels": [level]}} | ({"maintenance": {"mode": mode}} if mode else {})
    world.hosts[name] = Host.from_wire({"metadata": {"name": name}, "spec": spec})
    if holds:
        world.put_instance(an_instance(a_service(f"on-{name}"), epoch=1, host=name))


def seal(world: World, name: str, *, ago_s: float) -> None:
    seen = world.leases[name]
    world.leases[name] = LeaseSeen(seen.lease.sealed_(), seen.first_seen_s, NOW_S - ago_s)


@pytest.mark.parametrize(
    ("hosts", "lost", "frozen"),
    [
        pytest.param(2, 1, False, id="one of two: one may always be"),
        pytest.param(2, 2, True, id="both of two"),
        pytest.param(3, 2, True, id="two of three"),
        pytest.param(4, 2, True, id="half is not fewer than half"),
        pytest.param(5, 2, False, id="two of five"),
        pytest.param(5, 3, True, id="three of five"),
    ],
)
def test_how_many_may_be_lost_at_a_time(hosts: int, lost: int, frozen: bool) -> None:
    world = a_world(*(f"n{n}" for n in range(1, hosts + 1)))
    for n in range(1, lost + 1):
        lose(world, f"n{n}", holds=True)
    assert storm(world).is_frozen is frozen


def say_goodbye(world: World, name: str, *, holder: str = "") -> None:
    """It falls silent in a shutdown in order; `holder`: but another session holds its Lease."""
    lose(world, name)
    said = world.assignments[name]
    status = said.status.model_copy(update={"shutting_down": "reboot"})
    world.put_assignment(said.model_copy(update={"status": status}))
    seen = world.leases[name]
    world.leases[name] = replace(seen, lease=replace(seen.lease, holder=holder or seen.lease.holder))


@pytest.mark.parametrize(
    ("befall", "counts"),
    [
        pytest.param(lambda w: None, False, id="a host that renews does not"),
        pytest.param(lambda w: say_goodbye(w, "n1"), False, id="nor one that said goodbye"),
        pytest.param(lambda w: say_goodbye(w, "n1", holder="b/other"), True, id="unless another session fell silent"),
        pytest.param(
            lambda w: lose(w, "n1", silent_s=1.0), True, id="a late one does, so that two that fall together are seen"
        ),
        pytest.param(lambda w: lose(w, "n1", silent_s=60.0), True, id="so does one that fell a minute ago"),
        pytest.param(lambda w: lose(w, "n1", silent_s=61.0), False, id="and then no more, if it held nothing"),
        pytest.param(lambda w: lose(w, "n1", silent_s=600.0, holds=True), True, id="but what is held back stays"),
        pytest.param(
            lambda w: lose(w, "n1", silent_s=600.0, holds=True, mode="HandsOff"),
            False,
            id="not what nobody would fence",
        ),
        pytest.param(lambda w: seal(w, "n1", ago_s=59.0), True, id="a sealed one does"),
        pytest.param(lambda w: seal(w, "n1", ago_s=60.0), False, id="for a minute"),
    ],
)
def test_who_counts_as_lost(befall, counts: bool) -> None:
    world = a_world("n1", "n2", "n3")
    befall(world)
    assert storm(world).lost == (frozenset({"n1"}) if counts else frozenset())


def test_the_storm_says_who_and_what_a_person_can_do() -> None:
    world = a_world("n1", "n2", "n3")
    lose(world, "n1")
    lose(world, "n2")
    assert storm(world).why.startswith("2 of 3 hosts fell silent together (n1, n2)")
    assert "`backstay fence HOST --confirm`" in storm(world).why


# --- the budget ------------------------------------------------------------------------------------------------------


def request(
    world: World, *, name: str = "n1-0123456789abcdef", off: bool = True, ago_s: float = 10.0, **more
) -> FenceRequest:
    session = {"bootID": "b", "nonce": "n", "seq": 1}
    status = {"evidence": {"level": "bmc", "why": "read off twice"}}
    if off:
        status["attempts"] = [{"level": "bmc", "device": "bmc", "action": "off", "at": "2026-01-01T00:00:00Z"}]
    made = FenceRequest.from_wire(
        {
            "metadata": {"name": name},
            "spec": {"host": "n1", "session": session, "want": "Off", **more},
            "status": status,
        }
    )
    world.put_request(made)
    world.fenced_s[made.key], world.fenced_host[made.key] = NOW_S - ago_s, "n1"
    return made


def test_a_request_of_any_name_counts_for_its_host_when_it_is_gone() -> None:
    world = a_world("n1", "n2")
    made = request(world, name="made-by-hand")
    world.drop_request(made.key)
    assert spent_budget(world) == {"n1": (10.0,)}


@pytest.mark.parametrize(
    ("befall", "counts"),
    [
        pytest.param(lambda w: request(w), True, id="a host that was cut off counts"),
        pytest.param(lambda w: request(w, ago_s=3600.0), False, id="for an hour"),
        pytest.param(lambda w: request(w, off=False), False, id="one that was off anyway does not"),
        pytest.param(
            lambda w: request(w, confirm={"by": "eve", "at": "2026-01-01T00:00:00Z"}),
            False,
            id="nor one a person answers for",
        ),
        pytest.param(lambda w: w.drop_request(request(w).key), True, id="a request that is gone still counts"),
    ],
)
def test_who_has_used_up_the_budget(befall, counts: bool) -> None:
    world = a_world("n1")
    befall(world)
    assert list(spent_budget(world)) == (["n1"] if counts else [])


def test_fences_of_one_moment_are_listed_alike_by_every_replica() -> None:
    """Whichever of them it read first: a new operator reads all at once."""
    lists = []
    for names in (("n1-a", "n1-b"), ("n1-b", "n1-a")):
        world = a_world("n1")
        for name in names:
            world.fenced_s[name], world.fenced_host[name] = NOW_S - 10, "n1"
        lists.append([fence.request for fence in told(world, "n1")])
    assert lists[0] == lists[1]


def test_the_last_place_in_the_budget_goes_to_who_has_been_silent_for_longest() -> None:
    world = a_world("n1", "n2", *(f"n{n}" for n in range(3, 9)))
    world.settings = replace(world.settings, fence_budget=1)
    for name, silent_s in (("n1", LATE_S), ("n2", LATE_S + 5.0)):
        lose(world, name, silent_s=silent_s)
        unit = {"name": "main", "systemd": {"unit": f"on-{name}.service"}}
        service = a_service(f"on-{name}", resources=[unit])
        world.put_service(service)
        world.put_instance(an_instance(service, epoch=1, host=name))
        say_ready(world, service, "n3")
    found = guard(world)
    assert (found.left_alone, list(found.budget.refused)) == ({}, ["n1"])


def come_back(world: World) -> None:
    world.drop_instance("shop/on-n1-0")
    said = {"session": {**session("n1", 2), "machineUUID": "machine-n1"}}
    world.put_assignment(HostAssignment.from_wire({"metadata": {"name": "n1"}, "status": said}))


@pytest.mark.parametrize(
    "befall",
    [
        pytest.param(lambda w: add_host(w, "n1", silent_s=LATE_S), id="a false alarm that rings again"),
        pytest.param(come_back, id="its host has returned, and nothing that its session held is open any more"),
    ],
)
def test_a_request_that_counts_goes_only_when_its_host_lists_it(befall) -> None:
    """Or a new operator, which has only the objects, would not know that the host was cut off lately."""
    world = a_world("n1", "n2")
    lose(world, "n1", holds=True)
    counted = request(world, off=False, session=session("n1"), want="Withdrawn")
    raw = counted.wire()
    world.put_request(FenceRequest.from_wire({**raw, "status": {}}))
    befall(world)
    assert not [one for one in fence_actions(world, guard(world), "n1") if isinstance(one, DeleteFence)]
    fences = [{"request": counted.key, "at": "2026-01-01T00:00:00Z"}]
    world.put_host(Host.from_wire({**world.hosts["n1"].wire(), "status": {"fences": fences}}))
    assert [one for one in fence_actions(world, guard(world), "n1") if isinstance(one, DeleteFence)]
