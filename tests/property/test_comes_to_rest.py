"""Whatever rules and preferences services have about each other: where nothing changes, everything stays where it is in the end."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backstay_api.objects.models import HAService
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.judge.restless import MOST_STARTS
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_testing.builders import a_host, a_service, an_instance, unit

NAMES: Final = ("a", "b", "c", "d")
RACKS: Final = {"n1": "x", "n2": "x", "n3": "y"}


def of(name: str) -> dict[str, Any]:
    """By its label, so that no manifest is refused for contradicting another."""
    return {"matchLabels": {"app": name}}


rules: Final = st.fixed_dictionaries(
    {"services": st.sampled_from(NAMES).map(of)},
    optional={"topologyKey": st.just("rack"), "mutual": st.booleans(), "weight": st.integers(1, 300)},
).map(lambda rule: rule if "weight" in rule else {**rule, "required": True})


def wishes(host: str) -> list[dict[str, Any]]:
    return [{"hosts": {"matchLabels": {"name": host}}, "weight": 100}]


prefers: Final = st.sampled_from(sorted(RACKS)).map(wishes)
placements: Final = st.fixed_dictionaries(
    {"apart": st.lists(rules, max_size=2), "together": st.lists(rules, max_size=2)},
    optional={"failback": st.just("Always"), "prefer": prefers, "stickiness": st.integers(0, 100)},
)
Placement = dict[str, Any]


def labelled(service: HAService) -> HAService:
    meta = service.metadata.model_copy(update={"labels": {"app": service.metadata.name}})
    return service.model_copy(update={"metadata": meta})


def world_of(specs: list[Placement], holders: list[str]) -> World:
    hosts = [a_host(name, labels={"name": name, "rack": rack}) for name, rack in RACKS.items()]
    services = [labelled(a_service(name, unit(name), placement=spec)) for name, spec in zip(NAMES, specs, strict=True)]
    running = zip(services, holders, strict=True)
    return offline.as_if_running(hosts, services, [an_instance(one, epoch=1, host=host) for one, host in running])


def must(service: str, **more: Any) -> Placement:
    return {"services": of(service), "required": True, **more}


def wants(service: str, weight: int, **more: Any) -> Placement:
    return {"services": of(service), "weight": weight, "mutual": False, **more}


FLEES: Final[list[Placement]] = [{"apart": [must("b", mutual=False)]}, {"together": [must("a")]}, {}, {}]
PREFERS: Final[list[Placement]] = [
    {"together": [wants("b", 200)], "failback": "Always"},
    {"apart": [wants("a", 200)], "failback": "Always"},
    {},
    {},
]
ON_N1: Final = ["n1"] * 4


@pytest.mark.parametrize(
    "specs", [pytest.param(FLEES, id="one must follow, the other must flee"), pytest.param(PREFERS, id="by preference")]
)
def test_who_follows_whom_who_flees_stays_after_four_starts_and_it_is_said(specs: list[Placement]) -> None:
    world = world_of(specs, ON_N1)
    found = whatif.outcome(world, {"shop/a-0": "n1", "shop/b-0": "n1"})
    assert found.restless == ("shop/a-0", "shop/b-0")
    assert [world.instances[key].spec.epoch for key in found.restless] == [1 + MOST_STARTS] * 2
    missing = [slot.course.missing for key, slot in found.slots if key in found.restless]
    assert any(
        f"it has been started anew {MOST_STARTS} times within an hour, and stays until" in why for why in missing
    )


@settings(max_examples=60)
@example(FLEES, ON_N1)
@example(PREFERS, ON_N1)
@example(
    [
        {"prefer": wishes("n1")},
        {},
        {"together": [must("a", topologyKey="rack")], "apart": [wants("a", 150)], "failback": "Always"},
        {},
    ],
    ON_N1,
)
@given(st.lists(placements, min_size=4, max_size=4), st.lists(st.sampled_from(sorted(RACKS)), min_size=4, max_size=4))
def test_nothing_moves_on_and_on(specs: list[Placement], holders: list[str]) -> None:
    world = world_of(specs, holders)
    whatif.outcome(world, {})
    told = whatif.Told()
    assert not [action for action in plan(world).actions if whatif.carry_out(world, action, told)]
