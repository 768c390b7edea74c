"""Which services are touched by what: those whose own objects are others, and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

import pytest

from backstay_api.objects.models import HAService
from backstay_dev.show import bench_plan
from backstay_operator.planner.know.contents import ConfigMapSeen
from backstay_operator.planner.know.touched import seen, touched
from backstay_operator.planner.know.world import Rebooting, World
from backstay_testing.worlds import own_copy

FIRST, SECOND = "default/s00000", "default/s00001"


@cache
def settled() -> World:
    return bench_plan.settled(bench_plan.empty(3, 3))


def slot(key: str) -> str:
    return f"{key}-0"


def service(world: World) -> None:
    known = world.services[FIRST]
    world.put_service(known.model_copy(update={"status": known.status.model_copy()}))


def service_goes(world: World) -> None:
    world.drop_service(FIRST)


def instance(world: World) -> None:
    world.put_instance(world.instances[slot(FIRST)].model_copy())


def instance_goes(world: World) -> None:
    world.drop_instance(slot(FIRST))


def instance_of_another(world: World) -> None:
    """It was the first one's, and is the second one's now."""
    known, other = world.instances[slot(FIRST)], world.services[SECOND]
    ref = known.spec.service.model_copy(update={"uid": other.uid})
    world.put_instance(known.model_copy(update={"spec": known.spec.model_copy(update={"service": ref})}))


def claim_of(key: str) -> Callable[[World], object]:
    def change(world: World) -> None:
        name = next(name for name, keys in world.wanted_by.items() if key in keys and name in world.claims)
        world.claims[name] = world.claims[name].model_copy()

    return change


def claim_is_anothers(world: World) -> None:
    """What the first one wants is the second one's: both are concerned, and once more when it is given back."""
    name = next(name for name, keys in world.wanted_by.items() if FIRST in keys and name in world.claims)
    hosts = [one.model_copy(update={"uid": world.services[SECOND].uid}) for one in world.claims[name].spec.hosts or ()]
    known = world.claims[name]
    world.claims[name] = known.model_copy(update={"spec": known.spec.model_copy(update={"hosts": hosts})})


def entry(part: str, field: str) -> Callable[[World], object]:
    """Some host is told about the first one, or says of it, another thing: the object is new, the entries of others are not."""

    def change(world: World) -> None:
        uid = world.instances[slot(FIRST)].uid
        known = next(one for one in world.assignments.values() if uid in getattr(getattr(one, part), field))
        said = getattr(known, part)
        entries = {**getattr(said, field), uid: getattr(said, field)[uid].model_copy()}
        world.put_assignment(known.model_copy(update={part: said.model_copy(update={field: entries})}))

    return change


def says_nothing_of_it(world: World) -> None:
    uid = world.instances[slot(FIRST)].uid
    known = next(one for one in world.assignments.values() if uid in one.status.instances)
    left = {key: one for key, one in known.status.instances.items() if key != uid}
    world.put_assignment(known.model_copy(update={"status": known.status.model_copy(update={"instances": left})}))


def facts(world: World) -> None:
    known = next(iter(world.assignments.values()))
    world.put_assignment(
        known.model_copy(update={"status": known.status.model_copy(update={"shutting_down": "reboot"})})
    )


def reboots(world: World) -> None:
    known = world.instances[slot(FIRST)]
    world.rebooting[known.uid] = Rebooting(known.spec.epoch, known.holder, world.now_s)


def renewed(world: World) -> None:
    host, known = next(iter(world.leases.items()))
    world.leases[host] = replace(known, first_seen_s=world.now_s)


def from_a_config_map(world: World) -> World:
    """The first service has a file from one, the second from another."""
    for number, key in enumerate((FIRST, SECOND)):
        raw = world.services[key].wire()
        file = {"path": f"/etc/{number}", "configMapKeyRef": {"name": f"c{number}", "key": "k"}}
        resources = [*raw["spec"]["resources"], {"name": "conf", "file": file}]
        world.put_service(HAService.from_wire({**raw, "spec": {**raw["spec"], "resources": resources}}))
        world.contents[f"default/c{number}"] = ConfigMapSeen(data={"k": "a"})
    return world


def config_map(world: World) -> None:
    world.contents["default/c0"] = ConfigMapSeen(data={"k": "b"})


def config_map_goes(world: World) -> None:
    del world.contents["default/c0"]


ONLY: Final = {FIRST}
ROWS: Final[dict[str, tuple[Callable[[World], Any], set[str]]]] = {
    "nothing": (lambda world: None, set()),
    "its service": (service, ONLY),
    "its service goes": (service_goes, ONLY),
    "its instance": (instance, ONLY),
    "its instance goes": (instance_goes, ONLY),
    "its instance is another's": (instance_of_another, {FIRST, SECOND}),
    "a claim of the second": (claim_of(SECOND), {SECOND}),
    "its claim is another's": (claim_is_anothers, {FIRST, SECOND}),
    "an order": (entry("spec", "instances"), ONLY),
    "whom it asks": (entry("spec", "standbys"), ONLY),
    "a report": (entry("status", "instances"), ONLY),
    "an answer": (says_nothing_of_it, ONLY),
    "what a host says of itself": (facts, set()),
    "it waits for a reboot": (reboots, ONLY),
    "a renewal": (renewed, set()),
    "a ConfigMap that it names": (config_map, ONLY),
    "a ConfigMap that it names goes": (config_map_goes, ONLY),
}


@pytest.mark.parametrize("name", ROWS)
def test_who_is_touched(name: str) -> None:
    change, whom = ROWS[name]
    world = from_a_config_map(own_copy(settled()))
    before = seen(world)
    change(world)
    assert touched(world, before) == whom
    assert touched(world, seen(world)) == set(), "once that is seen"


def test_who_wants_what_another_has_is_touched_with_its_owner() -> None:
    world = own_copy(settled())
    claim_is_anothers(world)
    before = seen(world)
    claim_of(FIRST)(world)
    assert touched(world, before) == {FIRST, SECOND}
