"""The plan of a world in which much is kept equals the plan from nothing, after whatever has changed: one thing, or any sequence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstay_api.objects.models import FenceRequest, HAService, Host, HostAssignment
from backstay_api.objects.models.assignment import StandbyReport
from backstay_api.objects.models.instance import Closed
from backstay_api.objects.object_kinds import Unreadable
from backstay_dev.show import bench_plan
from backstay_operator.control.watch.cache import with_known_entries
from backstay_operator.planner import rest
from backstay_operator.planner.actions import WriteServiceStatus
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_operator.planner.know.accepted_drift import ACCEPT_ANNOTATION, AcceptedDrift, fingerprint
from backstay_operator.planner.know.clearing import CLEAR_ANNOTATION
from backstay_operator.planner.know.losses import Domain, HostLoss, Losses
from backstay_operator.planner.know.world import Failed, LeaseSeen, OwnPath, Rebooting, Settings, World
from backstay_operator.planner.plan import Plan, plan
from backstay_testing.worlds import own_copy, say_seen

KEY: Final = "default/s00000"
"""The service that most befalls. It has n0 and n1, of three hosts, as its holder and standbys in some order."""
Change = Callable[[World], object]


@cache
def settled(pools: int) -> World:
    world = replace(bench_plan.empty(4 * pools, 4), settings=Settings(keeps_plans_from=0))
    for number, known in enumerate(list(world.hosts.values()) if pools > 1 else ()):
        labels = {"rack": f"r{number % pools}"}
        world.put_host(known.model_copy(update={"metadata": known.metadata.model_copy(update={"labels": labels})}))
    for number, asking in enumerate(list(world.services.values()) if pools > 1 else ()):
        raw = asking.wire()
        placement = {"hosts": {"matchLabels": {"rack": f"r{number % pools}"}}}
        world.put_service(HAService.from_wire({**raw, "spec": {**raw["spec"], "placement": placement}}))
    return bench_plan.settled(world)


def at_rest(pools: int = 1) -> World:
    """Four services, all at rest, and four hosts for each of their pools; what is done to it is done to nobody else's."""
    return own_copy(settled(pools))


def from_nothing(world: World) -> Plan:
    return plan(replace(world, kept=defaultdict(dict)))


# --- what may happen -------------------------------------------------------------------------------------------------


def holder(world: World) -> str:
    return world.instances["default/s00000-0"].holder or "n0000"


def other(world: World) -> str:
    """A host that is asked to be ready for it."""
    its = world.services[KEY].spec.placement.hosts
    labels = its.match_labels if its else {}
    hosts = [
        name for name, host in sorted(world.hosts.items()) if labels.items() <= (host.metadata.labels or {}).items()
    ]
    return next((name for name in hosts if name != holder(world)), hosts[0] if hosts else "n0000")


def service(**spec: Any) -> Change:
    def change(world: World) -> None:
        raw = world.services[KEY].wire()
        meta = {**raw["metadata"], "generation": raw["metadata"]["generation"] + 1}
        world.put_service(HAService.from_wire({**raw, "metadata": meta, "spec": {**raw["spec"], **spec}}))

    return change


def annotated(name: str, text: str) -> Change:
    def change(world: World) -> None:
        known = world.services[KEY]
        meta = known.metadata.model_copy(update={"annotations": {name: text}})
        world.put_service(known.model_copy(update={"metadata": meta}))

    return change


def meta(of: str, **news: Any) -> Change:
    """Of the service, its instance or its holder."""

    def change(world: World) -> None:
        puts = {"service": (world.services, KEY), "instance": (world.instances, "default/s00000-0")}
        known, key = puts.get(of, (world.hosts, holder(world)))
        object_ = known[key]  # type: ignore[index]
        changed = object_.model_copy(update={"metadata": object_.metadata.model_copy(update=news)})
        known[key] = changed  # type: ignore[index]

    return change


def on_host(who: Callable[[World], str], **spec: Any) -> Change:
    def change(world: World) -> None:
        if who(world) not in world.hosts:
            return
        raw = world.hosts[who(world)].wire()
        world.put_host(Host.from_wire({**raw, "spec": {**raw["spec"], **spec}}))

    return change


def says(who: Callable[[World], str], part: str = "status", **news: Any) -> Change:
    def change(world: World) -> None:
        if who(world) not in world.assignments:
            return  # a change before has taken it away
        raw = world.assignments[who(world)].wire()
        _put(world, HostAssignment.from_wire({**raw, part: {**raw.get(part, {}), **news}}))

    return change


def _put(world: World, assignment: HostAssignment) -> None:
    """As the cache has it: what says the same is the very object."""
    world.put_assignment(with_known_entries(world, assignment))


def of_it(part: str, **news: Any) -> Change:
    """What its holder is told about it (spec), or says of it (status)."""

    def change(world: World) -> None:
        raw, uid = world.assignments[holder(world)].wire(), world.instances["default/s00000-0"].uid
        raw[part]["instances"].get(uid, {}).update(news)
        _put(world, HostAssignment.from_wire(raw))

    return change


def reports(**news: Any) -> Change:
    return of_it("status", **news)


def answers(**news: Any) -> Change:
    """Every host that may be asked, so that somebody has been."""

    def change(world: World) -> None:
        uid = world.instances["default/s00000-0"].uid
        for name, known in list(world.assignments.items()):
            said = known.status.standbys.get(uid, StandbyReport(ready=True, revision=1)).model_copy(update=news)
            status = known.status.model_copy(update={"standbys": {**known.status.standbys, uid: said}})
            if name != holder(world):
                world.put_assignment(known.model_copy(update={"status": status}))

    return change


def lease(who: Callable[[World], str], **news: Any) -> Change:
    def change(world: World) -> None:
        seen = world.leases[who(world)]
        world.leases[who(world)] = replace(seen, **news)

    return change


def sealed(world: World) -> None:
    seen = world.leases[holder(world)]
    world.leases[holder(world)] = LeaseSeen(seen.lease.sealed_(), seen.first_seen_s, world.now_s)


def passes(seconds: float) -> Change:
    def change(world: World) -> None:
        world.now_s += seconds
        for name, seen in world.leases.items():
            world.leases[name] = replace(seen, first_seen_s=world.now_s, moved_s=world.now_s)

    return change


def falls_silent(world: World) -> None:
    world.leases[holder(world)] = replace(world.leases[holder(world)], first_seen_s=world.now_s - 60)


def of_world(**news: Any) -> Change:
    def change(world: World) -> None:
        for name, value in news.items():
            known = getattr(world, name)
            setattr(world, name, {**known, **value} if isinstance(known, dict) else value)

    return change


def drops_claim(world: World) -> None:
    world.claims.clear()


def another_has_it(world: World) -> None:
    for key, claim in list(world.claims.items()):
        mine = [one.model_copy(update={"uid": "stranger", "name": "stranger"}) for one in claim.spec.hosts or ()]
        world.claims[key] = claim.model_copy(update={"spec": claim.spec.model_copy(update={"hosts": mine})})


def another_wants_it(world: World) -> None:
    known = world.services[KEY]
    stamp = known.metadata.model_copy(update={"name": "s0", "uid": "s0", "creation_timestamp": None})
    world.put_service(known.model_copy(update={"metadata": stamp}))


def loses_its_instance(world: World) -> None:
    world.drop_instance("default/s00000-0")


def is_granted_nowhere(world: World) -> None:
    known = world.instances["default/s00000-0"]
    closed = Closed(epoch=known.spec.epoch, evidence="Released", why="stopped")
    spec = known.spec.model_copy(update={"grant": None, "closed": closed})
    world.put_instance(known.model_copy(update={"spec": spec}))


def reboots(world: World) -> None:
    known = world.instances["default/s00000-0"]
    world.rebooting[known.uid] = Rebooting(known.spec.epoch, other(world), world.now_s)


def has_failed(world: World) -> None:
    known = world.instances["default/s00000-0"]
    world.failed_s[known.uid, Failed("s00000-0", other(world), 1)] = world.now_s
    reports(phase="Failed", why="exit code 1")(world)


def is_fenced(world: World) -> None:
    session = world.assignments[holder(world)].status.session
    assert session is not None
    spec = {"host": holder(world), "session": session.ref.wire(), "want": "Off"}
    evidence = {"evidence": {"why": "read off", "at": world.wall, "level": "power"}}
    world.put_request(FenceRequest.from_wire({"metadata": {"name": "f", "uid": "f"}, "spec": spec, "status": evidence}))


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
    _put(world, world.assignments[host])


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
    says_it_has(world, elsewhere, "a")
    made = plan(world)
    assert made == from_nothing(world) and made.actions != before.actions


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
    assert plan(world) == from_nothing(world)
    assert rest._TOPIC not in world.kept[KEY], "something is told of it"
    world.losses = Losses((lost, HostLoss(Domain("n0001", ("n0001",)), (), ())))
    theirs = world.kept["default/s00001"][rest._TOPIC][1]
    plan(world)
    assert before.keys() == world.services.keys() and world.kept["default/s00001"][rest._TOPIC][1] is theirs


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
    _put(world, HostAssignment.from_wire(raw))


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
