"""A file that differs from host to host, in a profile of its own; and its judge: who has it otherwise than where it ran is granted nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

from backstay_agent.drivers.base import Observed
from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_api.objects.kinds import Raw
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS

from .machines import Act, Machine
from .shapes import ServiceShape, Shape

if TYPE_CHECKING:
    from .faults import Chaos
    from .world import World

FILE: Final = "conf"
PATH: Final = "/etc/conf.conf"
CONTENTS: Final = ("one", "two")
LATE_S: Final = 25.0
"""So old may be what an operator goes by: a watch that lags by 20 s, a report that waits for its host's way, and a plan."""
_A_MOMENT_S: Final = 1.0
"""Between the chosen host's own look and what it then starts."""


def shape_with(shape: Shape, rng: Random) -> Shape:
    """Its services need a file, which may be taken more or less strictly."""
    need: Raw = {"name": FILE, "file": {"path": PATH}, **rng.choice([{}, {}, {"gate": "Strict"}, {"gate": "Warn"}])}
    log = [ServiceShape("log", is_exclusive=False)] if rng.random() < 0.4 else []
    return replace(shape, services=tuple(replace(one, needs=(need,)) for one in (*shape.services, *log)))


# --- what people do --------------------------------------------------------------------------------------------------


def edit_file(chaos: Chaos) -> None:
    """Somebody edits it on one host, or moves it away."""
    is_gone = chaos.rng.random() < 0.2
    seen = Observed(f"{PATH} does not exist") if is_gone else Observed("", {"content": chaos.rng.choice(CONTENTS)})
    _put(chaos, chaos.a_machine(), seen)


def edit_where_it_runs(chaos: Chaos) -> None:
    """What runs goes on, and is right: the others lag behind."""
    busy = [machine for machine in chaos.world.machines.values() if machine.state.running]
    if busy:
        _put(chaos, chaos.rng.choice(busy), Observed("", {"content": chaos.rng.choice(CONTENTS)}))


def copy_file(chaos: Chaos) -> None:
    """Somebody copies it from a host that has it to all others, one after the other."""
    have = [machine for machine in chaos.world.machines.values() if not _seen(machine).why]
    if have:
        source = chaos.rng.choice(have)
        for machine in chaos.world.machines.values():
            if machine is not source:
                chaos.world.later(chaos.rng.uniform(0, 5), partial(_put, chaos, machine, _seen(source)))


def _seen(machine: Machine) -> Observed:
    return machine.state.looks.get(FILE, Observed("", {"content": "as everywhere"}))


def _put(chaos: Chaos, machine: Machine, seen: Observed) -> None:
    if not chaos.is_over:
        chaos.world.story.tell(machine.name, f"{PATH} is now {seen.facts.get('content') or 'gone'}")
        machine.state.looks[FILE] = seen
        machine.edited_s = _now_s()


FAULTS: Final = {"edit_file": edit_file, "edit_where_it_runs": edit_where_it_runs, "copy_file": copy_file}


# --- what must be true -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Order:
    """What a host was told to start an epoch by."""

    epoch: int
    expects: Mapping[str, Raw]
    agent: object
    """The process that lived there when it was told: one that begins later may start what was granted before it reads its orders."""


@dataclass
class _Past:
    """What something was, and since when."""

    known: list[tuple[float, Any]] = field(default_factory=list)

    def note(self, value: Any) -> None:
        if not self.known or self.known[-1][1] != value:
            self.known.append((_now_s(), value))

    def lately(self) -> list[Any]:
        """All that an operator may still take for the present."""
        begin_s = _now_s() - LATE_S
        older = [value for at_s, value in self.known if at_s < begin_s][-1:]
        return older + [value for at_s, value in self.known if at_s >= begin_s]


@dataclass
class DriftWatch:
    """Knows what each host has said of the file, and where each service ran well last."""

    accuse: Callable[[str], None]
    agent_of: Callable[[str], object]
    """The process of a host's agent."""
    said: defaultdict[tuple[str, str], _Past] = field(default_factory=lambda: defaultdict(_Past))
    """By UID of the HAInstance and host: the content, empty where it has none, None where it has not looked."""
    ran_with: defaultdict[str, _Past] = field(default_factory=lambda: defaultdict(_Past))
    """By name of the service: its `lastRanWith`."""
    gates: dict[str, str] = field(default_factory=dict)
    """By name of a service that needs the file."""
    held_by: defaultdict[str, _Past] = field(default_factory=lambda: defaultdict(_Past))
    """By UID of the HAInstance."""
    orders: dict[tuple[str, str], _Order] = field(default_factory=dict)
    """By service and host: the last that it was to start."""
    started: set[tuple[str, str, int]] = field(default_factory=set)
    """Service, host and epoch."""

    def observe(self, change: Change) -> None:
        """One committed write."""
        if change.type is EventType.DELETED:
            return
        match change.resource:
            case HA_SERVICES.resource:
                self._service(change.key[1], change.body)
            case HOST_ASSIGNMENTS.resource:
                self._host(change.key[1], change.body, (change.before or {}).get("spec") or {})
            case HA_INSTANCES.resource:
                self._instance((change.before or {}).get("spec") or {}, change.body)

    def on_act(self, machine: Machine, service: str, act: Act) -> None:
        """An agent starts something of a service: the first time in an epoch only by what its host was chosen by."""
        order = self.orders.get((service, machine.name))
        if act != "start" or order is None or (service, machine.name, order.epoch) in self.started:
            return
        self.started.add((service, machine.name, order.epoch))
        has = _seen(machine)
        wanted = order.expects.get(FILE)
        is_settled = _now_s() - machine.edited_s > _A_MOMENT_S and self.agent_of(machine.name) is order.agent
        if wanted is not None and is_settled and (has.why or has.facts != wanted):
            self.accuse(f"{machine.name} starts {service} epoch {order.epoch} with {_told(has)}, chosen by {wanted}")

    def _service(self, name: str, body: Raw) -> None:
        for one in body["spec"]["resources"]:
            if one["name"] == FILE:
                self.gates[name] = one.get("gate", "Block")
        told = (body.get("status") or {}).get("lastRanWith") or [None]
        self.ran_with[name].note(told[0])

    def _host(self, host: str, body: Raw, before: Raw) -> None:
        for uid, report in ((body.get("status") or {}).get("prerequisites") or {}).items():
            found = next((one for one in report["findings"] if one["name"] == FILE), None)
            self.said[uid, host].note(found and ("" if found.get("why") else found["facts"]["content"]))
        for uid, order in ((body.get("spec") or {}).get("instances") or {}).items():
            if order["want"] == "Up":
                self._order(host, order, (before.get("instances") or {}).get(uid))

    def _order(self, host: str, order: Raw, was: Raw | None) -> None:
        """What it expects stays while it stands; one that an operator of late writes anew, of an epoch that is over, is nobody's to start."""
        service, epoch, expects = order["service"], order["epoch"], _expects(order)
        known = self.orders.get((service, host))
        if known is None or known.epoch != epoch:
            self.orders[service, host] = _Order(epoch, expects, self.agent_of(host))
        if was is not None and was["epoch"] == epoch and _expects(was) != expects:
            self.accuse(f"{host} was chosen for {service} epoch {epoch} by {_expects(was)}, and now {expects}")

    def _instance(self, before: Mapping[str, Any], body: Raw) -> None:
        uid, spec = body["metadata"]["uid"], body["spec"]
        grant, service = spec.get("grant"), spec["service"]["name"]
        last = (before.get("grant") or {}).get("host", "")
        is_elsewhere = grant and spec["epoch"] > before.get("epoch", 0) and grant["host"] != last
        if is_elsewhere and self.gates.get(service, "Warn") != "Warn":
            self._granted(uid, service, grant["host"], spec["epoch"])
        if grant:
            self.held_by[uid].note(grant["host"])

    def _granted(self, uid: str, service: str, host: str, epoch: int) -> None:
        has = {one for one in self.said[uid, host].lately() if one}
        if not has:
            self.accuse(f"{service} epoch {epoch} is granted to {host}, which has not said that it has {PATH}")
        right = self._right(uid, service)
        if has and right is not None and not has & right:
            which = f"has {PATH} as {', '.join(sorted(has))}, and {', '.join(sorted(right))} is right"
            self.accuse(f"{service} epoch {epoch} is granted to {host}, which {which}")

    def _right(self, uid: str, service: str) -> set[str] | None:
        """All that may have been held to be right; None, where that may be anything."""
        told = self.ran_with[service].lately()
        if not told or None in told:
            return None
        hosts = {one["host"] for one in told} | set(self.held_by[uid].lately())
        right = {content for host in hosts for content in self.said[uid, host].lately() if content}
        right |= {one["facts"]["content"] for one in told}
        if self.gates[service] != "Strict":
            right |= {one["before"]["content"] for one in told if one.get("before")}
        return right


def watch(world: World) -> None:
    """Judge this world, if a service of it needs the file."""
    if not any(service.needs for service in world.shape.services):
        return
    drift = DriftWatch(world.accuse, lambda host: world.processes.get(f"agent-{host}"))
    world.cluster.observe(drift.observe)
    for machine in world.machines.values():
        machine.on_act = _both(world, machine.on_act, drift)


def _both(world: World, before: Callable[[Machine, str, Act], None], drift: DriftWatch) -> Callable[..., None]:
    def on_act(machine: Machine, identity: str, act: Act) -> None:
        before(machine, identity, act)
        owned = world.monitor.owners.get(identity)
        if owned is not None:
            drift.on_act(machine, owned.service, act)

    return on_act


def without_standby(world: World, name: str, body: Raw) -> Iterator[str]:
    """When all hosts have the file alike again, one of them can take over, if there is another."""
    is_needed = any(one["name"] == FILE for one in body["spec"]["resources"])
    is_alone = sum(machine.is_on for machine in world.machines.values()) < 2
    standbys = (body.get("status") or {}).get("standbys") or ()
    if is_needed and not is_alone and not any(one["ready"] for one in standbys):
        yield f"nobody could take over {name}: {'; '.join(one.get('why', '') for one in standbys)}"


def _expects(order: Raw) -> dict[str, Raw]:
    return {one["name"]: one.get("facts") or {} for one in order.get("expects") or ()}


def _told(seen: Observed) -> str:
    return seen.why or str(dict(seen.facts))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
