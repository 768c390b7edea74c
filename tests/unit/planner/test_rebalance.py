"""Which moves spread services more evenly: none that a rule, a preference or a host that is not ready speaks against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from backstay_api.objects.models import HAService
from backstay_operator.planner import offline, rebalance, whatif
from backstay_operator.planner.do.decisions import Decision, decide
from backstay_operator.planner.do.rounds import Round
from backstay_operator.planner.know.world import World
from backstay_operator.planner.rebalance import MOST_MOVES, Proposal, proposals
from backstay_testing.builders import a_host, a_service, an_instance, unit


def on(held: Mapping[str, str], *services: HAService, hosts: Sequence[str] = ("n1", "n2")) -> World:
    """Each service on its host, all of it told and asked."""
    known = [a_host(name, labels={"name": name}) for name in hosts]
    there = [an_instance(one, epoch=1, host=held[one.metadata.name]) for one in services]
    world = offline.as_if_running(known, services, there)
    whatif.outcome(world, whatif.holders(world))
    return world


def plain(name: str, **spec: Any) -> HAService:
    return a_service(name, unit(name), **spec)


def said(one: Proposal) -> tuple[str, str, str]:
    return one.instance, one.from_, one.to


ALL_ON_N1 = {"a": "n1", "b": "n1", "c": "n1", "d": "n1"}
TO_N1 = {"prefer": [{"hosts": {"matchLabels": {"name": "n1"}}, "weight": 10}]}


@pytest.mark.parametrize(
    ("held", "services", "moves"),
    [
        pytest.param(
            ALL_ON_N1, [plain(name) for name in "abcd"], [("a-0", "n1", "n2"), ("b-0", "n1", "n2")], id="evenly"
        ),
        pytest.param({"a": "n1", "b": "n1", "c": "n2"}, [plain(name) for name in "abc"], [], id="one more is even"),
        pytest.param(
            ALL_ON_N1,
            [plain("a", placement={"priority": 9}), plain("b", placement={"priority": 5}), plain("c"), plain("d")],
            [("c-0", "n1", "n2"), ("d-0", "n1", "n2")],
            id="the least important first",
        ),
        pytest.param(
            ALL_ON_N1,
            [plain("a", placement=TO_N1), plain("b", placement=TO_N1), plain("c", placement=TO_N1), plain("d")],
            [("d-0", "n1", "n2")],
            id="not against a preference",
        ),
        pytest.param(
            ALL_ON_N1,
            [plain(name, placement={"hosts": {"matchLabels": {"name": "n1"}}}) for name in "abcd"],
            [],
            id="nor where nobody else is selected",
        ),
        pytest.param(
            ALL_ON_N1,
            [plain("a", state="Unmanaged"), plain("b", state="Unmanaged"), plain("c", state="Unmanaged"), plain("d")],
            [("d-0", "n1", "n2")],
            id="nor what is nobody's to move",
        ),
    ],
)
def test_what_would_move(
    held: Mapping[str, str], services: Sequence[HAService], moves: list[tuple[str, str, str]]
) -> None:
    world = on(held, *services)
    before = whatif.holders(world)
    assert [said(one) for one in proposals(world)] == moves
    assert whatif.holders(world) == before, "the world stays as it is"


def test_nothing_leaves_a_host_that_a_person_has_his_hands_on() -> None:
    world = on(ALL_ON_N1, *map(plain, "abcd"))
    world.put_host(a_host("n1", labels={"name": "n1"}, mode="HandsOff"))
    assert proposals(world) == ()


def test_what_requires_a_service_that_moves_is_named_with_it() -> None:
    app = plain("app", dependsOn=[{"service": "db"}], placement={"priority": 1})
    world = on({"db": "n1", "app": "n2", "x": "n1", "y": "n1", "z": "n1"}, plain("db"), app, *map(plain, "xyz"))
    (first,) = proposals(world)
    assert said(first) == ("db-0", "n1", "n2") and first.restarted == ("shop/app",)


def test_one_that_cannot_be_planned_stays_and_the_others_move(monkeypatch: pytest.MonkeyPatch) -> None:
    world = on(ALL_ON_N1, *map(plain, "abcd"))

    def odd(round_: Round, service: HAService) -> Decision:
        if service.metadata.name == "a":
            HAService.model_validate({})
        return decide(round_, service)

    monkeypatch.setattr(rebalance, "decide", odd)
    assert [said(one) for one in proposals(world)] == [("b-0", "n1", "n2"), ("c-0", "n1", "n2")]


def test_no_more_than_a_screen_at_a_time() -> None:
    names = [f"s{number:02}" for number in range(2 * MOST_MOVES + 2)]
    assert len(proposals(on(dict.fromkeys(names, "n1"), *map(plain, names)))) == MOST_MOVES
