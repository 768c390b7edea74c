"""A stage for stories: the operator, fencer and agents of production in the simulator's world, in virtual time and without faults.

A story says what people, machines and networks do, lets time pass, and looks. Every plan is held against its own sentences
(`truthful`), every write and every start is judged by the simulator's monitor, and every action that was carried out is a line of
the log.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from backstay_agent.drivers.base import Observed
from backstay_agent.fake_script import Script
from backstay_agent.standby.standbys import LOOK_AGAIN_S
from backstay_api.client.api import Api
from backstay_api.memory.server import Change
from backstay_api.objects.kinds import Kind, Raw
from backstay_api.objects.names import promoted_name
from backstay_api.objects.object_kinds import (
    FENCE_REQUESTS,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOSTS,
)
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.resource_kinds import identities, identity
from backstay_dev.simulator.copywatch import judged_as
from backstay_dev.simulator.machines import Machine
from backstay_dev.simulator.monitor import Owned
from backstay_dev.simulator.processes import SimulationLoop
from backstay_dev.simulator.shapes import NAMESPACE, HostShape, Shape
from backstay_dev.simulator.virtualtime import wind_up
from backstay_dev.simulator.world import World as Real
from backstay_operator.control.act.apply import Outcome, Result
from backstay_operator.control.replica import Operator, Replica
from backstay_operator.planner import actions as act
from backstay_operator.planner.know.world import Settings, World
from backstay_operator.planner.plan import Plan, plan

from .builders import a_taint, promotion_of
from .resting import from_nothing, is_same_plan
from .rights import PERSON, Rights
from .steps import line, steps
from .truthful import every_sentence_agrees

REST_S = 1.0
"""Nothing but heartbeats has been written for so long: all has come to rest."""
QUIET = ("leases.coordination.k8s.io", "events.events.k8s.io")


__all__ = ["Stage", "is_sealed", "running", "steps"]


class Stage(Rights):
    """Some hosts with what feeds them, one operator, one fencer."""

    open: list[Stage] = []
    """All that have not ended yet."""
    has_classes = tells_losses = False
    """There was some ServiceClass, so that what services are allowed is told; it was looked at what the loss of each host would leave over."""

    def __init__(
        self, *names: str, devices: bool = True, profile: str = "lab", settings: Settings | None = None
    ) -> None:
        self.loop = SimulationLoop(seed=1, limit_s=math.inf)
        self.real = Real(Shape(hosts=(), operators=1, services=()), seed=1, loop=self.loop)
        self.real.settings, self.real.employ = replace(settings or Settings(), keeps_plans_from=0), self._employ
        self.real.boots_for_s, self.real.restarts_in_s, self.real.lingers_s = [0.3], [0.05], 5.0
        self.machines = self.real.machines
        self.log: list[str] = []
        """Every action that was carried out, in the order of the plans, without what people are told."""
        self.plans: list[Plan] = []
        self.blessed: list[str] = []
        """What the monitor may say, because a person has brought it about."""
        self.operator: Operator | None = None
        self._begun_for: dict[tuple[str, str], str] = {}
        """By host and resource: the service whose order made us start it there."""
        self._changed_s = 0.0
        self._judge_change, self.real.monitor.on_change = self.real.monitor.on_change, self._note_run  # type: ignore[method-assign]
        self.real.cluster.observe(self._note_change)
        Stage.open.append(self)
        self.profile = profile
        self.do(lambda: self._begin(names, devices))
        self.settle()
        self.log.clear()

    def _begin(self, names: Sequence[str], devices: bool) -> None:
        self.real.build()
        self._install({name: self._shape(devices) for name in names})

    def _shape(self, devices: bool) -> HostShape:
        return HostShape(self.profile, "board" if devices else "none")

    def end(self) -> None:
        """All processes die; what nobody has waited for is raised."""
        Stage.open.remove(self)
        self.do(self.real.end)
        wind_up(self.loop)
        assert not self.loop.unhandled, self.loop.unhandled

    # --- time ---------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> list[str]:
        """Let time pass; returns what was done meanwhile."""
        begin = len(self.log)
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self._judge()
        return self.log[begin:]

    def settle(self) -> list[str]:
        """Until all rests."""
        self._changed_s = self.loop.time()
        return self.until(lambda: self.loop.time() - self._changed_s >= REST_S, "it never comes to rest")

    def until(self, said: Callable[[], object], what: str = "", *, limit_s: float = 60.0) -> list[str]:
        """Until something is true; returns what was done meanwhile."""
        begin, limit_at_s = len(self.log), self.loop.time() + limit_s
        while not said():
            assert self.loop.time() < limit_at_s, f"{what or 'not'} within {limit_s:g} s:\n{self.real.story.last(30)}"
            self.wait(0.05)
        return self.log[begin:]

    def _judge(self) -> None:
        found = [one for one in self.real.accusations if not any(blessed in one for blessed in self.blessed)]
        assert not found, "\n".join([self.real.story.last(30), *found[:3]])

    def _note_change(self, change: Change) -> None:
        if change.resource not in QUIET:
            self._changed_s = self.loop.time()

    def _note_run(self, machine: Machine, identity: str, runs: bool) -> None:
        """Two services may have a unit of one name, each on its own hosts: the monitor is told whose it is."""
        what, place = identity, (machine.name, identity)
        if runs and what not in machine.by_hand and (service := self._ordered_for(*place)):
            self._begun_for[place] = service
        if (begun_for := self._begun_for.get(place)) and what not in machine.by_hand:
            owners = self.real.monitor.owners
            if (owned := owners[what]).service != begun_for:
                what, same = f"{what} of {begun_for}", [one for one in owners.values() if one.service == begun_for]
                owners[what] = [*same, Owned(begun_for, owned.is_exclusive)][0]
        self._judge_change(machine, what, runs)

    def _ordered_for(self, host: str, what: str) -> str:
        orders = (self.get(HOST_ASSIGNMENTS, host) or {"spec": {}})["spec"].get("instances") or {}
        named = (
            judged_as(order["service"], order["name"])
            for order in orders.values()
            if order["want"] == "Up"
            and what in {identity(RenderedResource.from_wire(one)) for one in order["resources"]}
        )
        return next(named, "")

    # --- what the operator does -----------------------------------------------------------------------------------------

    def _employ(self, api: Api, replica: Replica) -> Operator:
        """A replica whose plans are judged, and whose acts are written down."""
        self.operator = operator = Operator(api, replica, plan=self._plan)
        writer = operator.reconciler._parts.writer
        apply = writer.apply

        async def noted(action: act.Action) -> Result:
            is_told = isinstance(action, (act.WriteServiceStatus, act.WriteHostStatus, act.WriteClassStatus))
            here = [] if is_told else [line(action)]
            self.log += here
            result = await apply(action)
            if result.outcome is Outcome.REFUSED:
                self.real.accuse(f"the API server refuses {line(action)}: {result.why}")
            if here and result.outcome is not Outcome.DONE:
                self.log.remove(here[0])
            return result

        writer.apply = noted  # type: ignore[method-assign]
        return operator

    def _plan(self, world: World) -> Plan:
        made = plan(world)
        assert is_same_plan(made, from_nothing(world)), "the plan from nothing is another"
        every_sentence_agrees(world, made.actions)
        self.plans.append(made)
        return made

    @property
    def world(self) -> World:
        """What the operator knows: to be read."""
        assert self.operator is not None
        return self.operator.cache.world

    # --- what people write ----------------------------------------------------------------------------------------------

    def add_host(self, name: str, *, devices: bool = True) -> None:
        self.do(lambda: self._install({name: self._shape(devices)}))

    def _install(self, hosts: Mapping[str, HostShape]) -> None:
        self.real.install(hosts)
        for name in hosts:
            self.real.launch(f"agent-{name}")
            self.real.cluster.patch(HOSTS, ("", name), {"metadata": {"labels": None}}, actor=PERSON)

    def apply_service(self, name: str = "web", **spec: Any) -> None:
        """kubectl apply."""
        spec.setdefault("resources", [{"name": "main", "systemd": {"unit": f"{name}.service"}}])
        many = spec.get("mode", "Single") != "Single"
        for resource in spec["resources"]:
            copies = spec.get("replicas", len(self.machines)) if many else 1
            if resource.get("role") == "Promoted":
                copies, first = 1, Owned(promoted_name(name), True)
            else:
                first = Owned(name, spec.get("exclusive", not many))
            for what in identities([RenderedResource.from_wire(resource)]):
                known = self.real.monitor.owners.get(what, first)
                self.real.monitor.owners[what] = replace(known, copies=max(known.copies, copies))
            for what in identities(promotion_of(resource)):
                self.real.monitor.owners[what] = Owned(promoted_name(name), True)
        meta = {"name": name, "namespace": NAMESPACE}
        if (old := self.get(HA_SERVICES, name)) is None:
            self.create(HA_SERVICES, {"metadata": meta, "spec": spec})
        else:
            self.do(lambda: self.real.cluster.replace(HA_SERVICES, NAMESPACE, {**old, "spec": spec}, actor=PERSON))

    def delete_service(self, name: str = "web") -> None:
        self.delete(HA_SERVICES, name)

    def ask_to_move(self, to: str, name: str = "web", *, for_s: float = 600, instance: str = "") -> None:
        generation = self.must(HA_SERVICES, name)["metadata"]["generation"]
        wish = {"host": to, "generation": generation, "expires": self.wall_in(for_s)}
        text = json.dumps({**wish, "instance": instance} if instance else wish)
        self.edit(HA_SERVICES, name, metadata={"annotations": {"backstay.dev/move": text}})

    def clear(self, name: str = "web", *, host: str = "", number: int = 1, reason: str = "mended") -> None:
        """backstay clear"""
        epochs = {f"{name}-0": self.world.instances[f"{NAMESPACE}/{name}-0"].spec.epoch}
        word = json.dumps({"epochs": epochs, "host": host, "number": number, "by": "eve", "reason": reason})
        self.edit(HA_SERVICES, name, metadata={"annotations": {"backstay.dev/clear": word}})

    def wall_in(self, seconds: float) -> str:
        return self.real.wall_at(self.loop.time() + seconds)

    def maintain(self, host: str, mode: str | None, reason: str = "") -> None:
        self.edit(HOSTS, host, spec={"maintenance": {"mode": mode, "reason": reason or None} if mode else None})

    @contextmanager
    def only(self, host: str) -> Iterator[None]:
        """What starts meanwhile starts there: what may run twice goes to whoever says first that it is ready."""
        others = [name for name in self.machines if name != host]
        for name in others:
            self.maintain(name, "Cordon")
        yield
        for name in others:
            self.maintain(name, None)
        self.settle()

    def label(self, host: str, **labels: str) -> None:
        self.edit(HOSTS, host, metadata={"labels": {"pool": None, **labels}})

    def taint(self, host: str, *taints: str) -> None:
        """It has these taints, and no others."""
        self.edit(HOSTS, host, spec={"taints": [a_taint(text) for text in taints] or None})

    def offer(self, host: str, **capacity: object) -> None:
        self.edit(HOSTS, host, spec={"capacity": capacity})

    def remove_host(self, host: str) -> None:
        self.delete(HOSTS, host)

    def of_a_later_version(self, kind: Kind[Any], name: str, **parts: Any) -> None:
        """Somebody has upgraded the CRDs, and writes what this operator cannot read; a replica that starts now knows no earlier version."""
        self.upgrade(kind)
        self.edit(kind, name, **parts)
        self.restart_operator()

    def restart_operator(self) -> None:
        """What a replica keeps on its own clock is gone; what it reads is there again."""
        old = self.operator
        self.do(lambda: self.real.kill("operator-a"))
        self.until(lambda: self.operator not in (None, old) and self._has_read())

    def _has_read(self) -> bool:
        return self.operator is not None and not self.operator.cache.missing

    def confirm(self, host: str, by: str = "eve", reason: str = "") -> None:
        """backstay fence HOST --confirm"""
        said = {"by": by, "at": self.wall_in(0), "reason": reason or None}
        for request in self.requests_of(host):
            self.edit(FENCE_REQUESTS, request, spec={"confirm": said})

    # --- what befalls hosts ---------------------------------------------------------------------------------------------

    def cut_off(self, host: str) -> None:
        """Only its way to the API server is cut: its clients still reach it."""
        self.do(lambda: self.real.cut(host, "silent"))

    def reconnect(self, host: str) -> None:
        self.do(lambda: self.real.heal(host))

    def false_alarm(self, host: str) -> None:
        """It is silent for just so long that its power is read."""
        self.cut_off(host)
        self.until(lambda: "Observe" in self.requests_of(host).values())
        self.reconnect(host)

    def freeze(self, who: str) -> None:
        """The host's agent hangs, and what runs there runs on; or another process."""
        self.do(lambda: self.real.freeze(f"agent-{who}" if who in self.machines else who))

    def thaw(self, who: str) -> None:
        self.do(lambda: self.real.thaw(f"agent-{who}" if who in self.machines else who))

    def power_off(self, host: str) -> None:
        self.do(lambda: self.machines[host].lose_power("a feed fails"))

    def boot(self, host: str) -> None:
        """On again, whether it was off or not."""
        self.power_off(host)
        self.do(lambda: self.machines[host].gain_power("it boots"))

    def shut_down(self, host: str) -> None:
        """systemctl reboot; it stays off."""
        self.do(lambda: self.real.shut_down(self.machines[host], then=lambda: None))

    def start_by_hand(self, host: str, unit: str = "web.service") -> None:
        self.do(lambda: self.machines[host].start_by_hand(unit))

    def stop_by_hand(self, host: str) -> None:
        self.do(self.machines[host].stop_by_hand)

    def script(self, host: str, unit: str = "web.service") -> Script:
        """How a unit behaves there."""
        return self.machines[host].state.scripts[f"unit {unit}"]

    def unready(self, host: str, why: str, unit: str = "web.service") -> None:
        """Its agent finds out when it looks again."""
        self.script(host, unit).not_ready = why
        self.wait(LOOK_AGAIN_S + 1)

    def look(self, host: str, resource: str, why: str = "", **facts: str) -> None:
        """What is seen of a prerequisite there, from the next look on. Nothing said: it is there, and as everywhere."""
        self.alter(host, resource, why, **facts)
        self.wait(LOOK_AGAIN_S + 1)

    def alter(self, host: str, resource: str, why: str = "", **facts: str) -> None:
        """The same, and nobody has looked since."""
        looks = self.machines[host].state.looks
        looks.pop(resource, None)
        looks.update({resource: Observed(why, facts)} if why or facts else {})

    def break_bmc(self, host: str, how: str = "dead") -> None:
        """dead: it never answers; stuck: it answers, says on, and does nothing."""
        bmc = self.real.bmcs[f"{host}-first-bmc"]
        bmc.is_reachable, bmc.ignores_off, bmc.says_on = how != "dead", how == "stuck", how == "stuck"

    def mend_bmc(self, host: str) -> None:
        self.real.bmcs[f"{host}-first-bmc"].mend()

    # --- what is so -----------------------------------------------------------------------------------------------------

    def copies(self, name: str = "web") -> list[str]:
        """Hosts on which something of it runs that we have started."""
        return sorted(self.real.monitor.active[name])

    def missing(self, name: str = "web") -> str:
        """What the status of the service says of its instance."""
        summaries = self.world.services[f"{NAMESPACE}/{name}"].status.instances
        return summaries[0].why if summaries else ""

    def told(self, name: str, condition: str) -> tuple[str, str, str]:
        """Status, reason and message of one of the service's conditions."""
        found = self.world.services[f"{NAMESPACE}/{name}"].status.conditions
        return next((c.status, c.reason, c.message) for c in found if c.type == condition)

    def host_says(self, host: str, condition: str) -> str:
        """Message of one of the host's conditions."""
        return next(c.message for c in self.world.hosts[host].status.conditions if c.type == condition)

    def requests_of(self, host: str) -> dict[str, str]:
        """Names of the requests to fence it, and what each wants."""
        bodies = self.real.cluster.bodies(FENCE_REQUESTS)
        return {body["metadata"]["name"]: body["spec"]["want"] for body in bodies if body["spec"]["host"] == host}


def is_sealed(lease: Raw) -> bool:
    return bool(lease["metadata"].get("annotations", {}).get("backstay.dev/sealed") == "true")


def running(
    *hosts: str, devices: bool = True, profile: str = "lab", settings: Settings | None = None, **spec: Any
) -> Stage:
    """A stage (three hosts, if not said) on which service web runs on n1."""
    stage = Stage(*(hosts or ("n1", "n2", "n3")), devices=devices, profile=profile, settings=settings)
    with stage.only("n1"):
        stage.apply_service(**spec)
        stage.settle()
    assert stage.copies() == ["n1"], stage.missing()
    stage.log.clear()
    return stage
