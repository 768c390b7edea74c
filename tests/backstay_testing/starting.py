"""Services that are new at once: what is written for them, what hosts answer, and what may come between, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from backstay_api.objects.models import HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.assignment import InstanceReport, StandbyReport
from backstay_dev.show import bench_plan, bench_start
from backstay_operator.planner.actions import Action, Assign
from backstay_operator.planner.know.world import LeaseSeen, Settings, World

from .resting import put_known

HOSTS: Final = 5
UNIT: Final = "shared.service"
"""Two services want it."""
Step = Callable[[World, int], object]
"""One thing that happens; the number says to whom."""


def new_services() -> World:
    """Seven services that nobody has planned yet, on five hosts in two racks, each with the name of what it is there for."""
    world = replace(bench_plan.empty(HOSTS, 0), settings=Settings(keeps_plans_from=0, standbys=2))
    for number, known in enumerate(list(world.hosts.values())):
        labels = {"rack": f"r{number % 2}"}
        spec = known.spec.model_copy(update={"capacity": {"memory": "1Gi"}})
        meta = known.metadata.model_copy(update={"labels": labels})
        world.put_host(known.model_copy(update={"metadata": meta, "spec": spec}))
    rack = {"hosts": {"matchLabels": {"rack": "r0"}}}
    put_new(world, "a")
    put_new(world, "b", placement=rack)
    put_new(world, "c", unit=UNIT, placement=rack)
    put_new(world, "d", unit=UNIT)
    put_new(world, "e", mode="Replicated", replicas=2)
    put_new(world, "f", placement={"prefer": [{"hosts": {"matchLabels": {"rack": "r1"}}, "weight": 5}]})
    put_new(world, "g", placement={"capacity": {"memory": "700Mi"}, "priority": 3})
    return world


def put_new(world: World, name: str, *, unit: str = "", **spec: Any) -> None:
    resources = [{"name": "main", "systemd": {"unit": unit or f"{name}.service"}}]
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1, "resourceVersion": "1"}
    world.put_service(HAService.from_wire({"metadata": meta, "spec": {"resources": resources, **spec}}))


# --- what the operator writes ----------------------------------------------------------------------------------------


def carry_out(world: World, action: Action) -> None:
    """As the API server takes it. What a host is told it has not answered yet."""
    if isinstance(action, Assign) and (known := world.assignments.get(action.host)) is not None:
        bench_start.carry_out(world, action)
        told = world.assignments[action.host]
        put_known(world, told.model_copy(update={"status": known.status}))
        return
    bench_start.carry_out(world, action)


# --- what hosts say --------------------------------------------------------------------------------------------------


def _host(world: World, number: int) -> str:
    return sorted(world.hosts)[number % len(world.hosts)]


def _says(ready: bool, active: bool = False) -> Step:
    """Of one thing that it was asked about and has not answered yet; or of one that it has."""

    def step(world: World, number: int) -> None:
        host = _host(world, number)
        known = world.assignments.get(host)
        asked = sorted(known.spec.standbys) if known else []
        if known is None or not asked:
            return
        open_ = [uid for uid in asked if uid not in known.status.standbys] or asked
        uid = open_[number % len(open_)]
        answer = StandbyReport(ready=ready, active=active, revision=known.spec.standbys[uid].revision, why="as it is")
        _put_status(world, known, standbys={**known.status.standbys, uid: answer})

    return step


def _reports(phase: str, **news: Any) -> Step:
    def step(world: World, number: int) -> None:
        host = _host(world, number)
        known = world.assignments.get(host)
        if known is None or not known.spec.instances:
            return
        said = {
            uid: InstanceReport.model_validate(
                {"namespace": one.namespace, "name": one.name, "epoch": one.epoch, "revision": one.revision}
                | {"phase": phase, **news}
            )
            for uid, one in known.spec.instances.items()
        }
        _put_status(world, known, instances=said)

    return step


def _put_status(world: World, known: HostAssignment, **news: Any) -> None:
    put_known(world, known.model_copy(update={"status": known.status.model_copy(update=news)}))


def _all_answer(world: World, number: int) -> None:
    for host in range(HOSTS):
        for _ in range(8):
            _says(True)(world, host)


# --- what comes between ----------------------------------------------------------------------------------------------


def _service(**news: Any) -> Step:
    def step(world: World, number: int) -> None:
        if not world.services:
            return
        raw = world.services[sorted(world.services)[number % len(world.services)]].wire()
        meta = {**raw["metadata"], "generation": raw["metadata"]["generation"] + 1}
        world.put_service(HAService.from_wire({**raw, "metadata": meta, "spec": {**raw["spec"], **news}}))

    return step


def _deleted(world: World, number: int) -> None:
    if world.services:
        known = world.services[sorted(world.services)[number % len(world.services)]]
        stamp = {"deletion_timestamp": "2026-01-01T00:00:00Z"}
        world.put_service(known.model_copy(update={"metadata": known.metadata.model_copy(update=stamp)}))


def _gone(world: World, number: int) -> None:
    if world.services:
        world.drop_service(sorted(world.services)[number % len(world.services)])


def _claim_goes(world: World, number: int) -> None:
    if world.claims:
        world.drop_claim(sorted(world.claims)[number % len(world.claims)])


def _claim_is_anothers(world: World, number: int) -> None:
    if not world.claims:
        return
    key = sorted(world.claims)[number % len(world.claims)]
    hosts = [one.model_copy(update={"uid": "x", "name": "x"}) for one in world.claims[key].spec.hosts or ()]
    spec = world.claims[key].spec.model_copy(update={"hosts": hosts})
    world.claims[key] = world.claims[key].model_copy(update={"spec": spec})


def _on_host(**news: Any) -> Step:
    def step(world: World, number: int) -> None:
        raw = world.hosts[_host(world, number)].wire()
        world.put_host(Host.from_wire({**raw, "spec": {**raw["spec"], **news}}))

    return step


def _labelled(world: World, number: int) -> None:
    known = world.hosts[_host(world, number)]
    labels = {"rack": f"r{number % 3}"}
    world.put_host(known.model_copy(update={"metadata": known.metadata.model_copy(update={"labels": labels})}))


def _left_of_a_gone_one(world: World, number: int) -> None:
    """A host still runs something of a name for an HAInstance of an earlier time."""
    host, name = _host(world, number), f"{sorted('abcdef')[number % 6]}-0"
    known = world.assignments.get(host)
    if known is not None:
        report = {"namespace": "default", "name": name, "epoch": 3, "phase": "Running"}
        said = {**known.status.instances, "gone": InstanceReport.model_validate(report)}
        _put_status(world, known, instances=said)


def name_is_taken(world: World, name: str) -> None:
    """By the HAInstance of an earlier service of that name."""
    key = f"default/{name}-0"
    if key not in world.instances:
        ref = {"name": name, "uid": f"earlier-{name}"}
        meta = {"name": f"{name}-0", "namespace": "default", "uid": f"earlier-{name}-0", "resourceVersion": "1"}
        world.put_instance(HAInstance.from_wire({"metadata": meta, "spec": {"service": ref, "exclusive": True}}))


def _silent(world: World, number: int) -> None:
    host = _host(world, number)
    if host in world.leases:
        world.leases[host] = replace(world.leases[host], first_seen_s=world.now_s - 60)


def _lease_edited(world: World, number: int) -> None:
    """By a person: nothing that says whether its host lives."""
    if seen := world.leases.get(host := _host(world, number)):
        lease = replace(seen.lease, resource_version=f"{seen.lease.resource_version}0")
        world.leases[host] = replace(seen, lease=lease)


def passes(seconds: float) -> Step:
    def step(world: World, number: int) -> None:
        world.now_s += seconds
        for name, seen in list(world.leases.items()):
            if seen.first_seen_s > world.now_s - 30:
                lease = replace(seen.lease, renewal=seen.lease.renewal + 1)
                world.leases[name] = LeaseSeen(lease, world.now_s, moved_s=world.now_s)

    return step


STEPS: Final[Mapping[str, Step]] = {
    "a host answers that it is ready": _says(True),
    "a host answers that it is not": _says(False),
    "a host answers that it runs it already": _says(False, active=True),
    "all hosts answer": _all_answer,
    "a host starts what it was told": _reports("Starting"),
    "a host runs what it was told": _reports("Running"),
    "what runs does not work": _reports("Running", healthy=False, why="no answer"),
    "a host cannot start it": _reports("Failed", why="exit code 1"),
    "a service more wants the same": lambda world, number: put_new(world, f"{'ABZ'[number % 3]}", unit=UNIT),
    "a service more wants what one has": lambda world, number: put_new(world, "0", unit=f"{'abc'[number % 3]}.service"),
    "it is edited: another unit": _service(resources=[{"name": "main", "systemd": {"unit": UNIT}}]),
    "it is edited: priority": _service(placement={"priority": 7}),
    "it is edited: stopped": _service(state="Stopped"),
    "it is deleted": _deleted,
    "it is gone": _gone,
    "a claim goes": _claim_goes,
    "a claim is another's": _claim_is_anothers,
    "a host is cordoned": _on_host(maintenance={"mode": "Cordon"}),
    "a host is drained": _on_host(maintenance={"mode": "Drain"}),
    "a host is as it was": _on_host(maintenance=None),
    "a host loses its device": _on_host(fencing={"levels": []}),
    "a label moves": _labelled,
    "a host falls silent": _silent,
    "a Lease is edited": _lease_edited,
    "a HostAssignment goes": lambda world, number: world.drop_assignment(_host(world, number)),
    "something of its name is left somewhere": _left_of_a_gone_one,
    "its name is taken": lambda world, number: name_is_taken(world, sorted("abcdfg")[number % 6]),
    "a second passes": passes(1.0),
    "a minute passes": passes(60.0),
}
