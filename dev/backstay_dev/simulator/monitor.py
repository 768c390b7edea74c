"""The judge: after every event it holds what was written against what is really so, and believes nobody.

It knows the machines as they are (power, boots, what runs) and every committed write; it shares no code with what it judges. What it
checks is the bar of SAFETY 5: one active copy, epochs, evidence, releases, seals, fences, claims.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_api.objects import resource_kinds
from backstay_api.objects.kinds import Raw
from backstay_api.objects.lease import HostLease
from backstay_api.objects.object_kinds import (
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
    HOSTS,
)
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.promise import PROFILES, silent_after_s
from backstay_fencer.agents import Action

from .boards import Bmc
from .copywatch import CopyWatch, judged_as
from .dependencies import DependencyWatch
from .leasewatch import LATELY_S, LeaseWatch
from .machines import Machine
from .orderwatch import OrderWatch
from .powerwatch import PowerWatch
from .stuckwatch import StuckWatch

ALIVE_S: Final = 3.0
"""A host that renewed so lately can be asked."""
SILENT_S: Final = silent_after_s(PROFILES["lab"])
"""Before that nobody can take it for silent."""
WRITES: Final = 80
WRITES_S: Final = 5.0


@dataclass(frozen=True)
class Owned:
    """What a resource on a machine belongs to."""

    service: str
    is_exclusive: bool
    copies: int = 1
    """So many of it may be there at once, one a machine."""


@dataclass
class Monitor:
    """Keeps the truth and calls `accuse` with a sentence when something is not as it must be."""

    machines: Mapping[str, Machine]
    accuse: Callable[[str], None]
    leases: LeaseWatch
    fencer_read: Callable[[str, str], HostLease | None]
    """Fencer and host: its Lease as that fencer last read it."""
    power: PowerWatch
    owners: dict[str, Owned] = field(default_factory=dict)
    """By identity of the resource on a machine: `unit web-a.service`."""
    active: defaultdict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(dict))
    """By service: machine → what of it runs there by us."""
    grants: dict[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)
    """By UID of the HAInstance and epoch."""
    held_s: dict[str, float] = field(default_factory=dict)
    """By session: when it last held an open grant for something exclusive."""
    holding: dict[str, str] = field(default_factory=dict)
    """By UID of an exclusive HAInstance: the session that holds it."""
    service_of: dict[str, str] = field(default_factory=dict)
    """By UID of an HAInstance: the name of its service."""
    open_epoch: dict[str, int] = field(default_factory=dict)
    """By UID of an HAInstance: its present epoch, while that is open."""
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    writes: defaultdict[tuple[str, str, tuple[str, str]], deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=WRITES))
    )
    """By actor and object: when it was written last."""
    created_s: dict[str, float] = field(default_factory=dict)
    """By name of a service: when it was written last from nothing."""
    enrolled_s: dict[str, float] = field(default_factory=dict)
    """By name of a host that has a Host object: since when."""
    named_s: dict[tuple[str, str], float] = field(default_factory=dict)
    """By name of a service and unit that its manifest names: since when."""
    superseded: set[tuple[str, str, str]] = field(default_factory=set)
    """Host, nonce and earlier session: what has been said to be over."""
    stripped: set[str] = field(default_factory=set)
    """UIDs of objects whose finalizers a person has taken away."""

    def __post_init__(self) -> None:
        self.orders = OrderWatch(self.accuse, self._running, self.machines)
        self.stops = StuckWatch(self.accuse)
        self.dependencies = DependencyWatch(self.accuse)
        self.copies = CopyWatch(self.accuse, lambda service: self._most(service) > 1)
        self.leases.on_seal_alive = self._sealed_alive
        self.leases.on_seal = lambda host, session, is_plain: self.power.note_seal(
            host, session, self.leases.renewed_s, is_plain=is_plain
        )

    def _sealed_alive(self, host: str, session: str) -> None:
        self.counts["sealed alive"] += 1
        self.stops.note_seal(host, session)
        self.power.note_seal_alive(host, session, self.leases.renewed_s)

    # --- what happens on machines ---------------------------------------------------------------------------------

    def on_change(self, machine: Machine, identity: str, runs: bool) -> None:
        """Something starts or has stopped on a machine."""
        owned = self.owners.get(identity)
        if owned is None or identity in machine.by_hand:
            return
        places = self.active[owned.service]
        if runs:
            places.setdefault(machine.name, set()).add(identity)
            self.counts["starts"] += 1
            self._one_place(owned, identity, machine)
        elif machine.name in places:
            places[machine.name].discard(identity)
            if not places[machine.name]:
                del places[machine.name]
        self.copies.note(owned.service, machine.name, places, is_exclusive=owned.is_exclusive)

    def _running(self, service: str, name: str, host: str) -> set[str]:
        """What runs of this HAInstance on a host, where another copy of the service may run instead."""
        return self.copies.places(judged_as(service, name), name, self.active).get(host, set())

    def _most(self, service: str) -> int:
        return max((owned.copies for owned in self.owners.values() if owned.service == service), default=1)

    def _one_place(self, owned: Owned, identity: str, machine: Machine) -> None:
        places = self.active[owned.service]
        if owned.is_exclusive and len(places) > owned.copies:
            self.accuse(f"TWO ACTIVE COPIES of {owned.service}: {identity} starts on {machine.name}, {_where(places)}")

    def on_switch(self, by: str, bmc: Bmc, action: Action) -> None:
        """A fence agent is told to switch: the fencer must just have read that this host's Lease is sealed."""
        self.counts[action] += 1
        self.power.note_switch(by, bmc, action)
        if action != "off":
            return
        host = bmc.host
        read = self.fencer_read(by, host)
        if read is None or not read.sealed:
            self.accuse(f"`off` is sent to {host}, whose Lease was last read held by {read and read.holder}, unsealed")
        if not self.leases.was_sealed_lately(host):
            self.accuse(f"`off` is sent to {host}, whose session is not sealed")

    # --- what is written --------------------------------------------------------------------------------------------

    def observe(self, change: Change) -> None:
        """One committed write."""
        self.dependencies.observe(change)
        match change.resource:
            case HA_SERVICES.resource:
                if change.type is EventType.ADDED:
                    self.created_s[change.key[1]] = _now_s()
                self._note_units(change)
                self.stops.note_service(change)
            case HOSTS.resource if change.type is EventType.DELETED or change.body["metadata"].get("deletionTimestamp"):
                # Who is about to be removed stands in nobody's way either (PROTOCOL 6, first epoch).
                self.enrolled_s.pop(change.key[1], None)
            case HOSTS.resource:
                self.enrolled_s.setdefault(change.key[1], _now_s())
            case HA_INSTANCES.resource:
                self._instance(change)
            case HOST_ASSIGNMENTS.resource:
                self.copies.note_assignment(change)
                self._assignment(change)
                self.orders.observe(change)
                self.stops.note_assignment(change)
            case HOST_LEASES.resource:
                self.leases.observe(change, self._held_exclusively)
            case FENCE_REQUESTS.resource:
                self.leases.note_request(change)
                self.power.note_request(change)
        self._count_writes(change)

    def _note_units(self, change: Change) -> None:
        service, now = change.key[1], set() if change.type is EventType.DELETED else units_of(change.body)
        for unit in units_of(change.before) - now:
            self.named_s.pop((service, unit), None)
        for unit in now:
            self.named_s.setdefault((service, unit), _now_s())

    def _count_writes(self, change: Change) -> None:
        """Nobody writes one object again and again without end. Heartbeats are bounded by their period."""
        if change.resource.startswith("leases") or change.actor == "a person":
            return
        times = self.writes[change.actor, change.resource, change.key]
        times.append(_now_s())
        if len(times) == times.maxlen and _now_s() - times[0] < WRITES_S:
            self.accuse(f"{change.actor} has written {change.key[1]} {len(times)} times in {WRITES_S:g} s")

    def _held_exclusively(self, session: str) -> float:
        """When this session last held something exclusive."""
        if session in self.holding.values():
            return _now_s()
        return self.held_s.get(session, float("-inf"))

    # --- grants -----------------------------------------------------------------------------------------------------

    def _instance(self, change: Change) -> None:
        uid, name = change.body["metadata"]["uid"], change.body["metadata"]["name"]
        if change.type is EventType.DELETED:
            if not (change.actor == "a person" and uid in self.stripped):
                self._deleted(uid, name, change.body)
            self._forget(uid)
            return
        self.service_of[uid] = judged_as(change.body["spec"]["service"]["name"], name)
        before, after = (change.before or {}).get("spec") or {}, change.body["spec"]
        self._epoch(name, before, after)
        closed = after.get("closed")
        if closed and closed != before.get("closed") and before.get("grant"):
            self._closing(name, before, closed)
        if after.get("grant"):
            self._grant(uid, name, after)
            if after["grant"] != before.get("grant"):
                self._to_the_living(name, after["grant"])
        self._note_holder(uid, after)

    def _epoch(self, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        old, new = before.get("epoch", 0), after.get("epoch", 0)
        if new not in (old, old + 1):
            self.accuse(f"{name}: epoch {new} after epoch {old}")
        if new == old + 1 and new > 1 and (after.get("closed") or {}).get("epoch") != old:
            self.accuse(f"{name}: epoch {new} is granted, and nothing says that epoch {old} is over")
        if new == old + 1 == 1:
            self._first_epoch(name, judged_as(after["service"]["name"], name))

    def _first_epoch(self, name: str, service: str) -> None:
        if not self._is_exclusive(service):
            return
        if self._most(service) > 1:
            return  # what runs is the other copies, and is judged as theirs
        places = self.active[service]
        if places:
            self.accuse(f"{name}: the first epoch is granted while a copy of an earlier time runs on {_where(places)}")
        # What an edit has named since then is not granted: it is ordered later, when nothing of it runs by hand.
        asked = service, self.created_s.get(service)
        units = {unit for (owner, unit), at_s in self.named_s.items() if (owner, at_s) == asked}
        self._none_by_hand(f"{name}: the first epoch is granted", service, units, holder="")

    def _none_by_hand(self, deed: str, service: str, units: Set[str], *, holder: str) -> None:
        for machine in self.machines.values():
            for unit in sorted(units):
                if machine.name != holder and self._known_by_hand(service, unit, machine):
                    self.accuse(f"{deed} while unit {unit}, started by hand, runs on {machine.name}")

    def _known_by_hand(self, service: str, unit: str, machine: Machine) -> bool:
        """Whether a person has started this unit there, early enough that the host's agent, which lives, has said so.

        Nobody is asked about units that the manifest does not name: the same service, made anew, may leave out what an edit had brought.
        A host that was removed is asked nothing, nor one that was added and has not taken its Lease (docs/explanation/limits.md).
        One that has not renewed since then, as after a reboot, is silent before it can say so.
        """
        renewed_s = self.leases.renewed_s.get(machine.name, float("-inf"))
        named_s = self.named_s.get((service, unit), float("-inf"))
        # Who has not renewed since it was named can have said nothing, and is silent the sooner.
        alive_s = ALIVE_S if renewed_s > named_s else SILENT_S
        is_asked = renewed_s > self.enrolled_s.get(machine.name, float("inf")) and _now_s() - renewed_s <= alive_s
        identity = machine.state.unit(unit)
        if not (machine.is_on and is_asked and identity in machine.by_hand):
            return False
        return machine.by_hand_since_s[identity] < min(named_s, renewed_s)

    def _closing(self, name: str, before: Mapping[str, Any], closed: Mapping[str, Any]) -> None:
        """Evidence, held against the truth: nothing of that session's boot may still run it."""
        self.counts[closed["evidence"]] += 1
        host, boot = before["grant"]["host"], before["grant"]["session"]["bootID"]
        machine = self.machines.get(host)
        if not before["exclusive"] or machine is None or not machine.is_on or machine.boot_id != boot:
            return
        if runs := self._running(before["service"]["name"], name, host):
            what = ", ".join(sorted(runs))
            self.accuse(f"{name}: epoch {closed['epoch']} is closed by {closed['evidence']}, but {what} runs on {host}")

    def _grant(self, uid: str, name: str, spec: Mapping[str, Any]) -> None:
        key = (uid, spec["epoch"])
        known = self.grants.setdefault(key, spec["grant"])
        if known != spec["grant"]:
            self.accuse(
                f"{name}: epoch {spec['epoch']} is granted twice: to {known['host']} and {spec['grant']['host']}"
            )

    def _to_the_living(self, name: str, grant: Mapping[str, Any]) -> None:
        """A grant goes to a session that holds its Lease, or has held it as lately as a slow operator explains."""
        session = f"{grant['session']['bootID']}/{grant['session']['nonce']}"
        if _now_s() - self.leases.held_s.get(session, float("-inf")) > LATELY_S:
            self.accuse(f"{name} is granted to {grant['host']} session {session}, which does not hold its Lease")

    def _note_holder(self, uid: str, spec: Mapping[str, Any]) -> None:
        if uid in self.holding:
            self.held_s[self.holding.pop(uid)] = _now_s()
        self.open_epoch.pop(uid, None)
        if spec.get("grant"):
            self.open_epoch[uid] = spec["epoch"]
        if spec.get("grant") and spec["exclusive"]:
            session = spec["grant"]["session"]
            self.holding[uid] = f"{session['bootID']}/{session['nonce']}"

    def _forget(self, uid: str) -> None:
        self.open_epoch.pop(uid, None)
        if uid in self.holding:
            self.held_s[self.holding.pop(uid)] = _now_s()

    def _deleted(self, uid: str, name: str, body: Raw) -> None:
        if body["spec"].get("grant"):
            self.accuse(f"{name} is deleted while epoch {body['spec']['epoch']} is open")
        # What runs though this one was never granted is another's, whose finalizers a person took away: it holds up the next first grant.
        places = self.copies.places(judged_as(body["spec"]["service"]["name"], name), name, self.active)
        if body["spec"]["exclusive"] and body["spec"]["epoch"] and places:
            self.accuse(f"{name} is deleted while it runs on {_where(places)}")

    def _is_exclusive(self, service: str) -> bool:
        return any(owned.is_exclusive for owned in self.owners.values() if owned.service == service)

    # --- what hosts say ---------------------------------------------------------------------------------------------

    def _assignment(self, change: Change) -> None:
        if change.type is EventType.DELETED:
            return
        if change.actor != "a person":
            self._edits(change)
        old, new = ((body or {}).get("status") or {} for body in (change.before, change.body))
        session, host = new.get("session"), change.key[1]
        if not session or not self._speaks(host, session):
            return
        before, reports = old.get("instances") or {}, new.get("instances") or {}
        for uid, report in reports.items():
            self._released(host, uid, report, before.get(uid) or {})
        # A HostAssignment that a person deletes is made again with the same list: what was said once is no new claim, and what
        # the session has been granted since runs there rightly.
        said = {(host, session["nonce"], earlier) for earlier in session.get("supersedes") or ()}
        if said - self.superseded:
            self._superseding(host, session)
        self.superseded |= said

    def _speaks(self, host: str, session: Raw) -> bool:
        """Whether the session is of the boot that the machine is in."""
        machine = self.machines.get(host)
        return machine is not None and machine.is_on and machine.boot_id == session["bootID"]

    def _edits(self, change: Change) -> None:
        """What an edit brings is ordered only when nothing of it runs by hand elsewhere."""
        before = ((change.before or {}).get("spec") or {}).get("instances") or {}
        for uid, order in ((change.body.get("spec") or {}).get("instances") or {}).items():
            was = before.get(uid)
            if was and order["want"] == was["want"] == "Up" and order["exclusive"] and order["epoch"] == was["epoch"]:
                brought = _units_of(order["resources"]) - _units_of(was["resources"])
                host, service = change.key[1], order["service"]
                self._none_by_hand(f"{host}: an edit of {service} is ordered", service, brought, holder=host)

    def _released(self, host: str, uid: str, report: Raw, was: Raw) -> None:
        name, epoch = report["name"], report["epoch"]
        # What is closed may be said again.
        is_said = report.get("released") and (was.get("epoch"), was.get("released")) != (epoch, True)
        is_new = is_said and self.open_epoch.get(uid) == epoch
        runs = self._running(report["service"], name, host)
        if is_new and runs and self._is_exclusive(judged_as(report["service"], name)):
            self.accuse(f"{host} says that {name} epoch {epoch} is released, but {_list(runs)} runs")

    def _superseding(self, host: str, session: Raw) -> None:
        """What it has been granted itself may run: of an earlier session that it learns of late it may say so then."""
        text, nonce = f"{session['bootID']}/{session['nonce']}", session["nonce"][:6]
        own = {self.service_of[uid] for uid, holder in self.holding.items() if holder == text}
        exclusive = {owned.service for owned in self.owners.values() if owned.is_exclusive}
        for service in sorted(exclusive - own):
            if runs := self.active[service].get(host):
                self.accuse(f"{host} opens session {nonce} over an earlier one, but {_list(runs)} runs there")


def units_of(service: Raw | None) -> set[str]:
    """What a manifest names: `web.service`."""
    return _units_of(service["spec"]["resources"]) if service else set()


def _units_of(resources: Sequence[Raw]) -> set[str]:
    return {*resource_kinds.units_of(map(RenderedResource.from_wire, resources))}


def _where(places: Mapping[str, set[str]]) -> str:
    return "; ".join(f"{name} runs {_list(what)}" for name, what in sorted(places.items()))


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
