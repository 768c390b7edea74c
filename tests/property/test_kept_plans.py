"""The plan of a world in which much is kept equals the plan from nothing, after whatever has changed: one thing, or any sequence."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstay_api.objects.editions import edition_of
from backstay_api.objects.models import HAService, HostAssignment
from backstay_api.objects.object_kinds import Unreadable
from backstay_dev.show import bench_plan
from backstay_operator.planner import rest
from backstay_operator.planner.actions import WriteServiceStatus
from backstay_operator.planner.by_host import ServicePlan
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_operator.planner.know.accepted_drift import ACCEPT_ANNOTATION, AcceptedDrift, fingerprint
from backstay_operator.planner.know.clearing import CLEAR_ANNOTATION
from backstay_operator.planner.know.contents import ConfigMapSeen
from backstay_operator.planner.know.losses import Domain, HostLoss, Losses
from backstay_operator.planner.know.world import OwnPath, World
from backstay_operator.planner.plan import plan
from backstay_testing.resting import (
    KEY,
    Change,
    annotated,
    another_has_it,
    another_wants_it,
    answers,
    at_rest,
    drops_claim,
    falls_silent,
    from_nothing,
    has_failed,
    holder,
    is_fenced,
    is_granted_nowhere,
    loses_its_instance,
    meta,
    of_it,
    of_world,
    on_host,
    other,
    passes,
    put_known,
    reboots,
    reports,
    says,
    sealed,
    service,
)
from backstay_testing.worlds import say_seen

POWER: Final = {"matchLabels": {"rack": "r1"}}
CHANGES: Final[dict[str, Change]] = {
    "a label moves": meta("host", labels={"rack": "r9"}),
    "its holder is to be removed": meta("host", deletion_timestamp="2026-01-01T00:00:00Z"),
    "the service is deleted": meta("service", deletion_timestamp="2026-01-01T00:00:00Z"),
    "its finalizer is gone": meta("instance", finalizers=None),
    "it is edited: priority": service(placement={"priority": 5}),
    "it is edited: other hosts": service(placement={"hosts": POWER}),
    "it is edited: a wish": service(placement={"prefer": [{"hosts": POWER, "weight": 3}]}),
    "it is edited: failback": service(placement={"failback": "Always", "prefer": [{"hosts": POWER, "weight": 300}]}),
    "it is edited: apart": service(placement={"apart": [{"service": "s00001", "required": True}]}),
    "it is edited: stopped": service(state="Stopped"),
    "it is edited: the unit of another": service(resources=[{"name": "main", "systemd": {"unit": "s00001.service"}}]),
    "a move is asked for": annotated(MOVE_ANNOTATION, '{"host": "n0003"}'),
    "a clear is asked for": annotated(CLEAR_ANNOTATION, '{"epochs": {"s00000-0": 1}, "number": 1}'),
    "its holder is drained": on_host(holder, maintenance={"mode": "Drain"}),
    "its holder is in other hands": on_host(holder, maintenance={"mode": "HandsOff"}),
    "another host is cordoned": on_host(other, maintenance={"mode": "Cordon"}),
    "its holder gets a taint": on_host(holder, taints=[{"key": "a", "effect": "NoExecute"}]),
    "its holder has no device": on_host(holder, fencing={"levels": []}),
    "it has failed": has_failed,
    "it starts again": reports(phase="Starting"),
    "it does not work": reports(healthy=False, why="no answer"),
    "it is gone": says(holder, instances={}),
    "nobody is ready": answers(ready=False, why="disk full"),
    "it runs beside its holder": answers(active=True, why="unit active"),
    "it was told to stop": of_it("spec", want="Down"),
    "an order was edited": says(holder, "spec", instances={}),
    "nobody was asked": says(other, "spec", standbys={}),
    "its holder shuts down": says(holder, shuttingDown="reboot", shutdownType="Reboot"),
    "another host is unfit": says(other, problems=[{"check": "Disk", "why": "full"}]),
    "a host holds its unit": says(other, held=[{"unit": "s00000.service", "why": "enabled"}]),
    "its holder falls silent": falls_silent,
    "its holder is sealed": sealed,
    "a Lease goes": lambda world: world.drop_lease(holder(world)),
    "a HostAssignment goes": lambda world: world.drop_assignment(other(world)),
    "a Host goes": lambda world: world.drop_host(other(world)),
    "own trouble": of_world(own_path=OwnPath(healthy=False)),
    "nobody has tested the devices": passes(30 * 3600.0),
    "time passes": passes(5.0),
    "its claims go": drops_claim,
    "its claims are another's": another_has_it,
    "another wants the same": another_wants_it,
    "its instance goes": loses_its_instance,
    "its grant goes": is_granted_nowhere,
    "it waits for a reboot": reboots,
    "its holder is fenced": is_fenced,
    "a service cannot be read": of_world(
        unreadable={("HAService", KEY): Unreadable("HAService", KEY, "odd", generation=1)}
    ),
    "what is told is refused": of_world(refused={("HAService", KEY): "too long"}),
    "its status is refused": of_world(short_status={KEY}),
}
UNSEEN: Final = ("a label moves", "a host holds its unit", "own trouble", "time passes", "it waits for a reboot")
"""Nothing comes of these here."""


@pytest.mark.parametrize("pools", [1, 2])
@pytest.mark.parametrize("name", CHANGES)
def test_what_is_kept_is_what_would_be_planned(name: str, pools: int) -> None:
    world = at_rest(pools)
    before = plan(world)
    assert len([1 for topics in world.kept.values() if rest._TOPIC in topics]) == 1 + len(world.services)
    CHANGES[name](world)
    made = plan(world)
    assert made == from_nothing(world)
    shows_nothing = name in UNSEEN and (pools == 1 or name != "a label moves")
    assert (made.actions != before.actions) is not shows_nothing, "a change of which nothing comes shows nothing"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=5), st.sampled_from([1, 2]))
def test_nor_does_any_sequence_of_changes_part_the_two(names: list[str], pools: int) -> None:
    world = at_rest(pools)
    for name in names:
        plan(world)
        if world.services.keys() >= {KEY} and world.instances.keys() >= {"default/s00000-0"} and len(world.leases) > 3:
            CHANGES[name](world)
    assert plan(world) == from_nothing(world)


def says_it_has(world: World, host: str, content: str) -> None:
    """Of a file that the service names."""
    finding = {"name": "conf", "facts": {"content": content * 32, "mode": "0644"}}
    say_seen(world, world.services[KEY], host, finding, uid=world.instances["default/s00000-0"].uid)
    put_known(world, world.assignments[host])


def test_what_a_host_has_that_is_not_selected_any_more_is_a_change_of_whom_it_is_held_against() -> None:
    """A person has accepted that its holder's copy of a file differs from the one there: that ends with the copy there."""
    world = at_rest(2)
    selected, elsewhere = holder(world), "n0001"
    conf = {"name": "conf", "file": {"path": "/etc/web.conf"}}
    service(resources=[conf, *world.services[KEY].wire()["spec"]["resources"]])(world)
    uid, facts = world.instances["default/s00000-0"].uid, {"content": "b" * 32, "mode": "0644"}
    mine = fingerprint(uid, "file /etc/web.conf", {**facts, "content": "a" * 32})
    word = AcceptedDrift(
        by="ann", at="2026-01-01T00:00:00Z", instance="s00000-0", reason="", resource="conf",
        host=selected, fingerprint=mine, than=elsewhere, reference=fingerprint(uid, "file /etc/web.conf", facts),
    )  # fmt: skip
    annotated(ACCEPT_ANNOTATION, word.line)(world)
    says_it_has(world, selected, "a")
    says_it_has(world, elsewhere, "b")
    bench_plan.settled(world)
    before = plan(world)
    assert rest._TOPIC in world.kept[KEY], "its service is at rest all the same"
    old = world.kept[KEY][rest._TOPIC][1]
    on_host(lambda _: elsewhere, maintenance={"mode": "Drain"})(world)
    assert plan(world) == from_nothing(world) and world.kept[KEY][rest._TOPIC][1] is not old, "it is looked up anew"
    says_it_has(world, elsewhere, "a")
    made = plan(world)
    assert made == from_nothing(world) and made.actions != before.actions
    bench_plan.settled(world)
    assert not plan(world).actions and rest._TOPIC in world.kept[KEY]
    says_it_has(world, "n0003", "b")
    made = plan(world)
    assert made == from_nothing(world) and made.actions, "a host that has said nothing of it before has it so now"


def test_an_edit_of_a_config_map_is_a_change_of_the_services_that_name_it_and_of_no_other() -> None:
    world = at_rest(2)
    conf = {"name": "conf", "file": {"path": "/etc/web.conf", "configMapKeyRef": {"name": "web", "key": "conf"}}}
    service(resources=[conf, *world.services[KEY].wire()["spec"]["resources"]])(world)
    world.contents["default/web"] = ConfigMapSeen(data={"conf": "a"})
    edition = edition_of("a", None, None, None)
    finding = {"name": "conf", "facts": {"edition": edition, "staged": edition}}
    bench_plan.settled(world)
    for host in (holder(world), other(world)):
        say_seen(world, world.services[KEY], host, finding, uid=world.instances["default/s00000-0"].uid)
        put_known(world, world.assignments[host])
    bench_plan.settled(world)
    assert not plan(world).actions and rest._TOPIC in world.kept[KEY], "its service is at rest all the same"
    others = world.kept["default/s00001"][rest._TOPIC][1]
    for seen in (ConfigMapSeen(data={"conf": "b"}), ConfigMapSeen(why="is not there: create it")):
        world.contents["default/web"] = seen
        made = plan(world)
        assert made == from_nothing(world) and made.actions, "hosts are told, or people"
    assert world.kept["default/s00001"][rest._TOPIC][1] is others


ELSEWHERE: Final = (
    "its holder is drained",
    "its holder falls silent",
    "its holder is sealed",
    "its holder is fenced",
    "its holder has no device",
    "its grant goes",
    "another host is unfit",
    "an order was edited",
    "it has failed",
)
"""What befalls one pool of hosts, and is nothing to services of another."""


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_befalls_one_pool_has_no_plan_of_another_made_again(name: str) -> None:
    world = at_rest(2)
    plan(world)
    theirs = ["default/s00001", "default/s00003"]
    before = [world.kept[key][rest._TOPIC][1] for key in theirs]
    CHANGES[name](world)
    plan(world)
    assert [world.kept[key][rest._TOPIC][1] is old for key, old in zip(theirs, before, strict=True)] == [True, True]


def test_what_the_loss_of_hosts_leaves_over_is_news_for_whom_it_leaves_over() -> None:
    world = at_rest(2)
    plan(world)
    before = {key: world.kept[key][rest._TOPIC][1] for key in world.services}
    lost = HostLoss(Domain("n0000", ("n0000",)), (), (("default/s00000-0", "no room"),))
    world.losses = Losses((lost,))
    made = plan(world)
    assert made == from_nothing(world) and world.kept[KEY][rest._TOPIC][1] is not before[KEY]
    assert [one.ref.key for one in made.actions] == [KEY], "something is told of it"
    world.losses = Losses((lost, HostLoss(Domain("n0001", ("n0001",)), (), ())))
    theirs = world.kept["default/s00001"][rest._TOPIC][1]
    plan(world)
    assert before.keys() == world.services.keys() and world.kept["default/s00001"][rest._TOPIC][1] is theirs
    theirs_too = HostLoss(Domain("n0001", ("n0001",)), (), (("default/s00001-0", "no room"),))
    world.losses = Losses((lost, theirs_too))
    assert plan(world) == from_nothing(world)
    told = world.kept["default/s00001"][rest._TOPIC][1]
    assert told is not theirs and isinstance(told, ServicePlan) and told.actions, (
        "something is told of it now, and nothing else has changed"
    )


def left_by_a_gone_copy(world: World, *, released: bool) -> None:
    """A host has stopped what a copy that is gone had there, and says so, or not yet: meanwhile no other comes there."""
    host = other(world)
    told = {"namespace": "default", "name": "s00000-7", "service": "s00000", "epoch": 1}
    session = world.assignments[host].status.session
    assert session is not None
    raw = world.assignments[host].wire()
    order = {**told, "session": session.ref.wire(), "want": "Down", "exclusive": False, "revision": 1, "resources": []}
    report = {**told, "revision": 1, "phase": "Stopped" if released else "Stopping", "released": released}
    raw["spec"]["instances"]["gone"] = order
    raw["status"]["instances"] = {**raw["status"].get("instances", {}), "gone": report}
    put_known(world, HostAssignment.from_wire(raw))


def test_that_a_copy_which_is_gone_has_left_a_host_is_a_change_of_its_service() -> None:
    world = at_rest()
    known = world.services[KEY]
    raw = known.wire()
    world.put_service(HAService.from_wire({**raw, "spec": {**raw["spec"], "mode": "Replicated", "replicas": 1}}))
    for key, claim in list(world.claims.items()):
        hosts = [
            one.model_copy(update={"instance": "gone"}) if (one.uid, one.host) == (known.uid, other(world)) else one
            for one in claim.spec.hosts or ()
        ]
        world.claims[key] = claim.model_copy(update={"spec": claim.spec.model_copy(update={"hosts": hosts})})
    left_by_a_gone_copy(world, released=False)
    while told := [one for one in plan(world).actions if isinstance(one, WriteServiceStatus)]:
        bench_plan.tell(world, told[0])
    before = plan(world)
    assert rest._TOPIC in world.kept[KEY], "its service is at rest all the same"
    left_by_a_gone_copy(world, released=True)
    made = plan(world)
    assert made == from_nothing(world) and made.actions != before.actions, "the host is asked to be ready again"
