"""Who counts as lost, and how many may be lost at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from backstay_operator.planner.judge.storm import storm
from backstay_operator.planner.know.world import OwnPath, World
from backstay_testing.builders import a_host, a_request, a_service, session
from backstay_testing.worlds import SILENT_S, Befall, a_world, add_host, hold, nothing, put, seal, shut_down, silence

Want = Literal["Observe", "Off", "Withdrawn"]


def lose(world: World, name: str, *, silent_s: float = SILENT_S, holds: bool = False, mode: str = "") -> None:
    add_host(world, name, silent_s=silent_s, mode=mode, has_device=True)
    if holds:
        put(world, a_service(f"on-{name}"), epoch=1, host=name)


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


def say_goodbye(world: World, name: str) -> None:
    """It falls silent in a shutdown in order."""
    lose(world, name)
    shut_down(world, name)


def be_overtaken(world: World, name: str) -> None:
    """The same, but another session holds its Lease."""
    say_goodbye(world, name)
    hold(world, name, session(name, 1, nonce="other"))


def be_sealed_alive(world: World, ago_s: float = 1.0) -> None:
    seen = world.leases["n1"]
    world.leases["n1"] = replace(seen, lease=seen.lease.sealed_(alive=True), sealed_seen_s=world.now_s - ago_s)


def be_without_device(world: World) -> None:
    lose(world, "n1", silent_s=600.0, holds=True)
    world.put_host(a_host("n1"))


def leave_holding(world: World) -> None:
    """It falls silent in a shutdown in order, and has not released what it holds."""
    say_goodbye(world, "n1")
    put(world, a_service(), epoch=1, host="n1")


def return_after(world: World) -> None:
    """It renews again, and the request that wanted it off is still there."""
    world.put_request(request := a_request("n1"))
    world.fenced_s[request.key] = world.now_s - 1.0


def be_removed(world: World, *, ago_s: float, want: Want = "Off") -> None:
    """Its Lease goes with its Host, and the operator that saw it sealed is another one: what is left is its FenceRequest."""
    world.put_request(request := a_request("n1", want=want))
    world.fenced_s[request.key] = world.now_s - ago_s
    del world.leases["n1"], world.hosts["n1"]


@pytest.mark.parametrize(
    ("befall", "counts"),
    [
        pytest.param(nothing, False, id="a host that renews does not"),
        pytest.param(lambda w: say_goodbye(w, "n1"), False, id="nor one that said goodbye"),
        pytest.param(leave_holding, True, id="unless it still holds something"),
        pytest.param(lambda w: be_overtaken(w, "n1"), True, id="unless another session fell silent"),
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
        pytest.param(be_without_device, False, id="nor whose end nothing could prove"),
        pytest.param(lambda w: seal(w, "n1", ago_s=59.0), True, id="a sealed one does"),
        pytest.param(lambda w: seal(w, "n1", ago_s=60.0), False, id="for a minute"),
        pytest.param(
            lambda w: be_removed(w, ago_s=59.0), True, id="nor is one forgotten that was removed, and is wanted off"
        ),
        pytest.param(lambda w: be_removed(w, ago_s=60.0), False, id="for a minute too"),
        pytest.param(lambda w: be_removed(w, ago_s=1.0, want="Observe"), False, id="not one that is only looked at"),
        pytest.param(return_after, False, id="nor one that has returned, though it is still wanted off"),
        pytest.param(be_sealed_alive, False, id="not one that was sealed though it renewed: it was not silent"),
    ],
)
def test_who_counts_as_lost(befall: Befall, counts: bool) -> None:
    world = a_world("n1", "n2", "n3")
    befall(world)
    assert storm(world).lost == (frozenset({"n1"}) if counts else frozenset())


def test_what_nobody_could_take_over_counts_for_a_minute_only() -> None:
    """Or one machine in repair would block everybody for ever."""
    world = a_world("n1", "n2", "n3")
    for silent_s, lost in ((60.0, {"n1"}), (600.0, set[str]())):
        lose(world, "n1", silent_s=silent_s, holds=True)
        assert storm(world, {"n1"}).lost == lost


def test_machines_that_are_long_gone_are_no_majority() -> None:
    world = a_world("n1", "n2", "n3")
    for name in ("n4", "n5"):
        lose(world, name, silent_s=600.0)
    for name in ("n1", "n2"):
        lose(world, name, holds=True)
    assert (storm(world).hosts, storm(world).is_frozen) == (3, True)


@pytest.mark.parametrize(
    ("befall", "alive"),
    [
        pytest.param(be_sealed_alive, {"n1"}, id="sealed though it renewed"),
        pytest.param(lambda w: be_sealed_alive(w, ago_s=60.0), set(), id="a minute ago"),
        pytest.param(lambda w: seal(w, "n1", ago_s=1.0), set(), id="sealed because it was silent"),
    ],
)
def test_who_was_sealed_alive_lately(befall: Befall, alive: set[str]) -> None:
    world = a_world("n1", "n2", "n3")
    befall(world)
    assert storm(world).alive == alive


def test_hosts_count_as_living_while_the_operators_own_path_is_in_doubt() -> None:
    world = a_world(*(f"n{number}" for number in range(1, 8)))
    lose(world, "n1")
    alone = storm(world)
    world.own_path = OwnPath(healthy=False)
    for name in ("n2", "n3", "n4"):
        silence(world, name, SILENT_S)
    assert storm(world).hosts == alone.hosts == 7


def test_the_storm_says_who_and_what_a_person_can_do() -> None:
    world = a_world("n1", "n2", "n3")
    lose(world, "n1")
    lose(world, "n2")
    assert storm(world).why.startswith("2 of 3 hosts fell silent together (n1, n2)")
    assert "`backstay fence HOST --confirm`" in storm(world).why
