"""A stage for stories: plans are carried out on a World, hosts and fence devices answer, and every line is written down.

Not the simulator: nothing is lost, late or reordered here. It is there so that a story can be read from top to bottom, and it
checks at every step what must never happen: two active copies, a step that the API server's own rules would refuse.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from backstay_api.objects import lease as leases
from backstay_api.objects.models import FenceRequest, HAService, Host, HostAssignment
from backstay_api.objects.object_kinds import Unreadable
from backstay_api.objects.promise import PROFILES
from backstay_operator.planner import actions as act
from backstay_operator.planner.know.world import LeaseSeen, OwnPath, World
from backstay_operator.planner.plan import Plan, plan

from .stage_writes import WRITES, fits, obeys_rules
from .truthful import every_sentence_agrees

LAB = PROFILES["lab"]
STEP_S = 0.25
RENEW_STEPS = 2


@dataclass
class Machine:
    """One host as it really is."""

    name: str
    boot: int = 1
    seq: int = 1
    supersedes: list[str] = field(default_factory=list)
    powered: bool = True
    connected: bool = True
    frozen: bool = False
    bmc: str = "works"
    """works, dead (never answers), or stuck (answers, says on, does nothing)."""
    running: dict[str, int] = field(default_factory=dict)
    """UID of what is active here, and its epoch."""
    exclusive: set[str] = field(default_factory=set)
    closed: dict[str, int] = field(default_factory=dict)
    """UID and the last epoch that is over here."""
    broken: dict[str, str] = field(default_factory=dict)
    """Name of the HAInstance → how its start fails."""
    unstoppable: set[str] = field(default_factory=set)
    """Names of HAInstances that cannot be shown to have stopped."""
    unready: dict[str, str] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    """Names of HAInstances of which something runs here, started by somebody else."""
    shutting_down: str = ""
    """How systemd stops the machine."""
    left: tuple[str, str] | None = None
    """With hands off: in which phase everything is, and what an admin did."""

    @property
    def session(self) -> dict[str, Any]:
        return {"bootID": f"boot-{self.name}-{self.boot}", "nonce": f"{self.name}-{self.seq}", "seq": self.seq}

    @property
    def holder(self) -> str:
        return f"{self.session['bootID']}/{self.session['nonce']}"

    @property
    def speaks(self) -> bool:
        return self.powered and self.connected and not self.frozen


class Stage:
    """Some hosts with devices, a World, and the planner."""

    def __init__(self, *names: str, devices: bool = True) -> None:
        self.world = World(now_s=1000.0, wall="2026-03-01T12:00:00Z")
        self.world.own_path = OwnPath(recovered_s=0.0)
        self.machines: dict[str, Machine] = {}
        self.log: list[str] = []
        self.plans: list[Plan] = []
        self._version = 0
        self._steps = 0
        for name in names:
            self.add_host(name, devices=devices)

    # --- what a test says -----------------------------------------------------------------------------------------

    def add_host(self, name: str, *, devices: bool = True) -> None:
        level = {"name": "bmc", "devices": [{"name": "bmc", "agent": "fence_redfish"}]}
        spec = {"fencing": {"levels": [level] if devices else []}}
        self.world.put_host(Host.from_wire({"metadata": self.meta(name, uid=f"uid-{name}"), "spec": spec}))
        self.machines[name] = Machine(name, bmc="works" if devices else "dead")

    def apply_service(self, name: str = "web", *, uid: str = "", **spec: Any) -> None:
        """kubectl apply."""
        key = f"shop/{name}"
        old = self.world.services.get(key)
        resources = spec.pop("resources", [{"name": "main", "systemd": {"unit": f"{name}.service"}}])
        meta = old.metadata.wire() if old else self.meta(name, namespace="shop", uid=uid or f"uid-{name}")
        meta |= {
            "generation": (old.metadata.generation or 0) + 1 if old else 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        status = old.status.wire() if old else {}
        service = {"metadata": meta, "spec": {"resources": resources, **spec}, "status": status}
        self.world.put_service(HAService.from_wire(service))

    def delete_service(self, name: str = "web") -> None:
        self.edit_service(name, deletionTimestamp="2026-03-01T12:00:00Z")

    def ask_to_move(self, to: str, name: str = "web", *, expires: str = "2026-03-01T12:10:00Z") -> None:
        generation = self.world.services[f"shop/{name}"].metadata.generation
        wish = json.dumps({"host": to, "generation": generation, "expires": expires})
        self.edit_service(name, annotations={"backstay.dev/move": wish})

    def maintain(self, host: str, mode: str | None) -> None:
        raw = self.world.hosts[host].wire()
        raw["spec"]["maintenance"] = {"mode": mode} if mode else None
        self.world.hosts[host] = Host.from_wire(raw)

    def label(self, host: str, **labels: str) -> None:
        raw = self.world.hosts[host].wire()
        raw["metadata"]["labels"] = labels
        self.world.hosts[host] = Host.from_wire(raw)

    def lose_sight_of(self, name: str) -> None:
        """The service is there, and a replica that has just started cannot read it."""
        key = f"shop/{name}"
        self.world.drop_service(key)
        self.world.unreadable["HAService", key] = Unreadable("HAService", key, "spec.mode: unknown")

    def lose_sight_of_host(self, name: str) -> None:
        del self.world.hosts[name]
        self.world.unreadable["Host", name] = Unreadable("Host", name, "spec.heartbeat: unknown")

    def unmark(self, host: str) -> None:
        """Somebody takes our finalizer away."""
        raw = self.world.hosts[host].wire()
        raw["metadata"]["finalizers"] = []
        self.world.hosts[host] = Host.from_wire(raw)

    def host_says(self, host: str, condition: str) -> str:
        """Message of one of the host's conditions."""
        return next(c.message for c in self.world.hosts[host].status.conditions if c.type == condition)

    def remove_host(self, host: str) -> None:
        raw = self.world.hosts[host].wire()
        raw["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
        self.world.hosts[host] = Host.from_wire(raw)

    def confirm(self, host: str, by: str = "eve") -> None:
        """backstay fence HOST --confirm"""
        for name in sorted(self.world.requests_of[host]):
            raw = self.world.requests[name].wire()
            raw["spec"]["confirm"] = {"by": by, "at": "2026-03-01T12:00:00Z"}
            self._put_request(raw)

    def power_off(self, host: str) -> None:
        machine = self.machines[host]
        machine.powered, machine.running = False, {}

    def boot(self, host: str) -> None:
        machine = self.machines[host]
        self.machines[host] = replace(
            machine, boot=machine.boot + 1, seq=machine.seq + 1, supersedes=[], powered=True, frozen=False,
            running={}, exclusive=set(), closed={},
        )  # fmt: skip

    def wait(self, seconds: float) -> list[str]:
        """Let time pass; returns what was planned meanwhile."""
        begin = len(self.log)
        for _ in range(round(seconds / STEP_S)):
            self._step()
        return self.log[begin:]

    def leap(self, seconds: float) -> list[str]:
        """Let much time pass in which those who live renew and nothing else happens."""
        self.world.now_s += seconds
        for machine in self.machines.values():
            self._renew(machine)
        return self.wait(1)

    def settle(self) -> list[str]:
        """Let everything that can happen without time happen; it must come to rest."""
        begin = len(self.log)
        for _ in range(40):
            if not self._round():
                return self.log[begin:]
        raise AssertionError("it never comes to rest:\n" + "\n".join(self.log[-12:]))

    def copies(self, name: str = "web") -> list[str]:
        """Hosts on which it is active."""
        instance = self.world.instances.get(f"shop/{name}-0")
        return [h for h, m in sorted(self.machines.items()) if instance is not None and instance.uid in m.running]

    def missing(self, name: str = "web") -> str:
        """What the status of the service says of its instance."""
        summaries = self.world.services[f"shop/{name}"].status.instances
        return summaries[0].why if summaries else ""

    # --- time -----------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        self.world.now_s += STEP_S
        self._steps += 1
        if self._steps % RENEW_STEPS == 0:
            for machine in self.machines.values():
                self._renew(machine)
        self.settle()

    def _round(self) -> bool:
        before = self._version
        for machine in self.machines.values():
            self._agent(machine)
        for request in list(self.world.requests.values()):
            self._fencer(request)
        made = plan(self.world)
        every_sentence_agrees(self.world, made.actions)
        self.plans.append(made)
        for action in made.actions:
            self._carry_out(action)
        self._check()
        # An object that cannot be read is reported for as long as it is there.
        is_new = any(not isinstance(action, act.ReportUnreadable) for action in made.actions)
        return is_new or self._version != before

    def _check(self) -> None:
        for instance in self.world.instances.values():
            copies = [m.name for m in self.machines.values() if instance.uid in m.running]
            assert len(copies) <= 1 or not instance.spec.exclusive, f"two copies: {copies}\n" + "\n".join(self.log)

    # --- hosts ----------------------------------------------------------------------------------------------------

    def _renew(self, machine: Machine) -> None:
        seen = self.world.leases.get(machine.name)
        if not machine.speaks or seen is None or seen.lease.sealed or seen.lease.holder != machine.holder:
            return
        renewed = seen.lease.renewed(LAB, renew_time="")
        now_s = self.world.now_s
        self.world.leases[machine.name] = LeaseSeen(self.fresh(renewed), first_seen_s=now_s, moved_s=now_s)

    def _agent(self, machine: Machine) -> None:
        assignment, seen = self.world.assignments.get(machine.name), self.world.leases.get(machine.name)
        if not machine.speaks or assignment is None or seen is None:
            return
        if seen.lease.sealed and seen.lease.holder == machine.holder:
            self._give_up_session(machine)
        if not seen.lease.sealed and seen.lease.holder != machine.holder:
            taken = seen.lease.taken(machine.holder, machine.seq, LAB, renew_time="")
            self.world.leases[machine.name] = LeaseSeen(self.fresh(taken), first_seen_s=self.world.now_s)
        elif not seen.lease.sealed and seen.lease.renewal == 0:
            self._renew(machine)
        self._report(machine, assignment)

    def _give_up_session(self, machine: Machine) -> None:
        stuck = {uid for uid in machine.running if uid in machine.exclusive and self._name(uid) in machine.unstoppable}
        if stuck:
            return
        for uid in list(machine.running):
            if uid in machine.exclusive:
                del machine.running[uid]
        machine.supersedes.append(machine.session["nonce"])
        machine.seq += 1

    def _report(self, machine: Machine, assignment: HostAssignment) -> None:
        reports = {
            uid: self._obey(machine, uid, order)
            for uid, order in assignment.spec.instances.items()
            if order.session.text == machine.holder
        }
        ready = {
            uid: {
                "ready": order.name not in machine.unready,
                "why": machine.unready.get(order.name, ""),
                "active": order.name in machine.foreign,
                "revision": order.revision,
            }
            for uid, order in assignment.spec.standbys.items()
        }
        session = {**machine.session, "machineUUID": f"machine-{machine.name}", "supersedes": list(machine.supersedes)}
        said = {"shuttingDown": machine.shutting_down, "handsOff": bool(assignment.spec.hands_off)}
        raw = assignment.wire() | {"status": {"session": session, "instances": reports, "standbys": ready, **said}}
        new = HostAssignment.from_wire(raw)
        if new.status != assignment.status:
            obeys_rules(assignment.status, new.status)
            self._version += 1
            self.world.put_assignment(new)

    def _obey(self, machine: Machine, uid: str, order: Any) -> dict[str, Any]:
        said = {"namespace": order.namespace, "name": order.name, "epoch": order.epoch, "revision": order.revision}
        if machine.closed.get(uid, 0) >= order.epoch:
            return {**said, "phase": "Stopped", "released": True}
        if order.want == "Down":
            if uid in machine.running and order.name in machine.unstoppable:
                return {**said, "phase": "Stuck", "why": "a process does not end"}
            machine.running.pop(uid, None)
            machine.closed[uid] = order.epoch
            return {**said, "phase": "Stopped", "released": True}
        if machine.left:
            machine.running.pop(uid, None)
            return {**said, "phase": machine.left[0], "byAdmin": machine.left[1]}
        if order.name in machine.broken:
            return {**said, "phase": "Failed", "why": machine.broken[order.name]}
        machine.running[uid] = order.epoch
        if order.exclusive:
            machine.exclusive.add(uid)
        return {**said, "phase": "Running"}

    def _name(self, uid: str) -> str:
        return next((i.metadata.name for i in self.world.instances.values() if i.uid == uid), "")

    # --- fence devices --------------------------------------------------------------------------------------------

    def _fencer(self, request: FenceRequest) -> None:
        machine, seen = self.machines[request.spec.host], self.world.leases.get(request.spec.host)
        self._read_on(request, machine)
        if (
            seen is None
            or request.spec.want == "Withdrawn"
            or request.status.evidence is not None
            or machine.bmc == "dead"
        ):
            return
        is_its_own = seen.lease.holder == request.spec.session.text
        attempts: list[dict[str, Any]] = []
        if request.spec.want == "Off" and is_its_own and machine.bmc == "works" and machine.powered:
            assert seen.lease.sealed, "Off for an unsealed session"
            self.power_off(machine.name)
            attempts = [{"level": "bmc", "device": "bmc", "action": "off", "at": self.world.wall}]
        raw = request.wire()
        status = raw.setdefault("status", {})
        status["attempts"] = attempts or status.get("attempts", [])
        status["power"] = "On" if machine.powered or machine.bmc == "stuck" else "Off"
        if status["power"] == "Off" and (seen.lease.sealed or not is_its_own):
            status["evidence"] = {"level": "bmc", "why": "read off twice"}
        self._put_request(raw)

    def _read_on(self, request: FenceRequest, machine: Machine) -> None:
        """Whoever has switched on again what we had switched off: it is read on, and nobody owes anything any more."""
        if request.status.evidence is not None and request.status.attempts and machine.powered:
            raw = request.wire()
            raw["status"]["poweredOn"] = True
            self._put_request(raw)

    def _put_request(self, raw: dict[str, Any]) -> None:
        new = FenceRequest.from_wire(raw)
        if new != self.world.requests.get(new.key):
            self._version += 1
            self.world.put_request(new)

    # --- the API server -------------------------------------------------------------------------------------------

    def _carry_out(self, action: act.Action) -> None:
        fits(action)
        self._version += not isinstance(action, act.ReportUnreadable)
        if not isinstance(action, (act.WriteServiceStatus, act.WriteHostStatus)):
            self.log.append(line(action))
        WRITES[type(action)](self, action)

    def edit_service(self, name: str, **metadata: Any) -> None:
        """Somebody changes its metadata."""
        raw = self.world.services[f"shop/{name}"].wire()
        raw["metadata"] |= metadata
        self.world.put_service(HAService.from_wire(raw))

    def meta(self, name: str, **more: Any) -> dict[str, Any]:
        """Of an object that is made now."""
        return {"name": name, "resourceVersion": str(self._version), **more}

    def fresh(self, lease: leases.HostLease) -> leases.HostLease:
        """As the API server stores it now."""
        self._version += 1
        return replace(lease, resource_version=str(self._version))


def cut_off(stage: Stage, host: str) -> None:
    """Only its way to the API server is cut: its clients still reach it."""
    stage.machines[host].connected = False


def running(*hosts: str, devices: bool = True, **spec: Any) -> Stage:
    """A stage (three hosts, if not said) on which service web runs on n1."""
    stage = Stage(*(hosts or ("n1", "n2", "n3")), devices=devices)
    stage.wait(1)
    stage.apply_service(**spec)
    stage.wait(1)
    assert stage.copies() == ["n1"], stage.missing()
    stage.log.clear()
    return stage


def line(action: act.Action) -> str:
    """One action as a line of a story: what, of whom, why."""
    return f"{type(action).__name__} {_of_whom(action)}: {action.why}"


def _of_whom(action: act.Action) -> str:
    """The object that it writes, as a story names it."""
    match action:
        case act.WriteInstance():
            grant, ended = action.spec.grant, action.spec.closed
            what = f"epoch {action.spec.epoch} to {grant.host}" if grant else f"epoch {action.spec.epoch} closed"
            return f"{what}{f' on {ended.evidence}' if ended and ended.epoch >= action.before.spec.epoch else ''}"
        case act.RequestFence():
            return f"{action.spec.host} {action.spec.want}"
        case act.UpdateFence():
            return f"{action.before.spec.host} {action.want}"
        case act.DeleteFence():
            return action.before.spec.host
        case act.CreateClaim():
            return action.claim.spec.key
        case act.DeleteClaim() | act.WriteClaim():
            return action.before.spec.key
        case act.SetFinalizer():
            return f"{action.ref.name} {'on' if action.present else 'off'}"
        case act.ReportUnreadable():
            return action.key
    return action.ref.name


def steps(log: list[str], *kinds: str) -> list[str]:
    """The lines of these kinds, without their reasons."""
    return [one.partition(":")[0] for one in log if one.split(" ", 1)[0] in kinds]
