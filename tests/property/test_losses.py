"""What the loss of a host is said to leave over is what plan after plan leaves over when it is really lost; whatever there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.judge.copies import instances_of, its_host
from backstay_operator.planner.know.losses import Domain
from backstay_operator.planner.know.world import World
from backstay_operator.planner.losses import by_label, copied, each_host, losses
from backstay_testing.builders import a_host, a_service, unit

HOSTS: Final = ("n1", "n2", "n3")
NAMES: Final = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Drawn:
    """What one service says."""

    need: int
    priority: int
    mode: str
    failback: str
    other: str
    """Of which another rule of it is."""
    rule: str
    spread: str


services = st.builds(
    Drawn,
    need=st.integers(0, 3),
    priority=st.integers(0, 2),
    mode=st.sampled_from(["Single", "Single", "Single", "Replicated", "EveryHost"]),
    failback=st.sampled_from(["Never", "Never", "Always"]),
    other=st.sampled_from(NAMES),
    rule=st.sampled_from(["", "", "Requires", "After", "apart", "together", "both together", "near"]),
    spread=st.sampled_from(["", "", "DoNotSchedule", "ScheduleAnyway"]),
)
worlds = st.tuples(st.fixed_dictionaries(dict.fromkeys(NAMES, services)), st.tuples(*[st.integers(0, 6)] * 3))


def manifest(name: str, drawn: Drawn) -> HAService:
    placement: Raw = {"priority": drawn.priority, "failback": drawn.failback}
    placement["prefer"] = [{"hosts": {"matchLabels": {"kubernetes.io/hostname": "n2"}}, "weight": 200}]
    more: dict[str, Any] = {"mode": drawn.mode}
    if drawn.need:
        placement["capacity"] = {"cpu": drawn.need}
    if drawn.mode == "Replicated":
        more["replicas"] = 2
        if drawn.spread:
            placement["spread"] = [{"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": drawn.spread}]
    rule: Raw = {
        "service": drawn.other,
        "required": drawn.rule != "near",
        **({"weight": 50} if drawn.rule == "near" else {}),
    }
    if drawn.other == name or not drawn.rule:
        pass
    elif drawn.rule in ("Requires", "After"):
        more["dependsOn"] = [{"service": drawn.other, "type": drawn.rule}]
    elif drawn.rule == "apart":
        placement["apart"] = [rule]
    else:
        placement["together"] = [{**rule, "mutual": drawn.rule == "both together"}]
    return a_service(name, unit(name), placement=placement, **more)


def settled(drawn: tuple[Mapping[str, Drawn], tuple[int, ...]]) -> World:
    said, offers = drawn
    hosts = [
        a_host(name, labels={"rack": f"r{number // 2}", "kubernetes.io/hostname": name}, capacity={"cpu": much})
        for number, (name, much) in enumerate(zip(HOSTS, offers, strict=True))
    ]
    world = offline.as_if_running(hosts, [manifest(name, one) for name, one in said.items()], [])
    whatif.outcome(world, {})
    return world


def really_left(world: World, domain: Domain) -> dict[str, str]:
    """By key of what ran and then runs nowhere: why. Of a service with a copy for each host, only where none is left."""
    before, lost = whatif.holders(world), copied(world)
    slots = whatif.outcome(lost, before, domain.hosts).slots
    nowhere = {key: slot for key, slot in slots if key in before and key not in whatif.holders(lost)}
    return {
        key: whatif.why_nowhere(slot)
        for key, slot in nowhere.items()
        if not (its_host(slot.in_force, slot.instance) and any(one.holder for one in instances_of(lost, slot.in_force)))
    }


@settings(max_examples=40, deadline=None)
@given(worlds)
def test_what_is_promised_agrees_with_the_plans_made_after_the_loss(
    drawn: tuple[Mapping[str, Drawn], tuple[int, ...]],
) -> None:
    world = settled(drawn)
    domains = (*each_host(world), *by_label(world, "rack"))
    before = whatif.holders(world)
    for found in losses(world, domains).each:
        assert dict(found.left) == really_left(world, found.domain), found.domain.name
    assert whatif.holders(world) == before, "the world stays as it is"
