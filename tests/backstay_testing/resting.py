"""Services at rest, and what may befall one of them, its hosts or its objects: whether a kept plan sees it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

from backstay_api.objects.models import FenceRequest, HAService, Host, HostAssignment
from backstay_api.objects.models.assignment import StandbyReport
from backstay_api.objects.models.instance import Closed
from backstay_dev.show import bench_plan
from backstay_operator.control.watch.cache import with_known_entries
from backstay_operator.planner.know.world import Failed, LeaseSeen, Rebooting, Settings, World
from backstay_operator.planner.plan import Plan, plan
from backstay_testing.worlds import own_copy

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


def is_same_plan(kept: Plan, made: Plan) -> bool:
    """But for the time that a status bears: a plan that was kept tells when that was decided."""
    return kept == made or _but_for_times(kept) == _but_for_times(made)


def _but_for_times(made: Plan) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "then", repr(made))


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
        put_known(world, HostAssignment.from_wire({**raw, part: {**raw.get(part, {}), **news}}))

    return change


def put_known(world: World, assignment: HostAssignment) -> None:
    """As the cache has it: what says the same is the very object."""
    world.put_assignment(with_known_entries(world, assignment))


def of_it(part: str, **news: Any) -> Change:
    """What its holder is told about it (spec), or says of it (status)."""

    def change(world: World) -> None:
        raw, uid = world.assignments[holder(world)].wire(), world.instances["default/s00000-0"].uid
        raw[part]["instances"].get(uid, {}).update(news)
        put_known(world, HostAssignment.from_wire(raw))

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
    if holder(world) not in world.leases:
        return
    seen = world.leases[holder(world)]
    world.leases[holder(world)] = LeaseSeen(seen.lease.sealed_(), seen.first_seen_s, world.now_s)


def passes(seconds: float) -> Change:
    def change(world: World) -> None:
        world.now_s += seconds
        for name, seen in world.leases.items():
            world.leases[name] = replace(seen, first_seen_s=world.now_s, moved_s=world.now_s)

    return change


def falls_silent(world: World) -> None:
    if holder(world) not in world.leases:
        return  # a change before has taken it away
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
