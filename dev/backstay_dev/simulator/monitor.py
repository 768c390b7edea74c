"""The judge: after every event it holds what was written against what is really so, and believes nobody.

It knows the machines as they are (power, boots, what runs) and every committed write; it shares no code with what it judges. What it
checks is the bar of SAFETY 4.2: one active copy, epochs, evidence, releases, seals, fences, claims.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backstay_api.client import EventType
from backstay_api.kinds import Raw
from backstay_api.lease import HostLease
from backstay_api.memory import Change

from .leasewatch import LeaseWatch
from .machines import Machine


@dataclass(frozen=True)
class Owned:
    """What a resource on a machine belongs to."""

    service: str
    is_exclusive: bool


@dataclass
class Monitor:
    """Keeps the truth and calls `accuse` with a sentence when something is not as it must be."""

    machines: Mapping[str, Machine]
    accuse: Callable[[str], None]
    leases: LeaseWatch
    fencer_read: Callable[[str], HostLease | None]
    """The Lease of a host as the fencer last read it."""
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
    open_epoch: dict[str, int] = field(default_factory=dict)
    """By UID of an HAInstance: its present epoch, while that is open."""
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

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

    def _one_place(self, owned: Owned, identity: str, machine: Machine) -> None:
        places = self.active[owned.service]
        if owned.is_exclusive and len(places) > 1:
            self.accuse(f"TWO ACTIVE COPIES of {owned.service}: {identity} starts on {machine.name}, {_where(places)}")
        if identity.startswith("address"):
            others = [
                s for s, at in self.active.items() for n, ids in at.items() if identity in ids and n != machine.name
            ]
            if others:
                self.accuse(f"{identity} is up twice: on {machine.name} and for {', '.join(others)}")

    def on_off(self, machine: Machine) -> None:
        """A fence agent is told to cut the power: the fencer must just have read that this host's Lease is sealed."""
        self.counts["off"] += 1
        read = self.fencer_read(machine.name)
        if read is None or not read.sealed:
            self.accuse(
                f"`off` is sent to {machine.name}, whose Lease was last read held by {read and read.holder}, unsealed"
            )
        if not self.leases.was_sealed_lately(machine.name):
            self.accuse(f"`off` is sent to {machine.name}, whose session is not sealed")

    # --- what is written --------------------------------------------------------------------------------------------

    def hear(self, change: Change) -> None:
        """One committed write."""
        match change.resource:
            case "hainstances.backstay.dev":
                self._instance(change)
            case "hostassignments.backstay.dev":
                self._assignment(change)
            case "leases.coordination.k8s.io":
                self.leases.hear(change, self._held_exclusively)
            case "fencerequests.backstay.dev":
                self.leases.hear_request(change)

    def _held_exclusively(self, session: str) -> float:
        """When this session last held something exclusive."""
        if session in self.holding.values():
            return _now_s()
        return self.held_s.get(session, float("-inf"))

    # --- grants -----------------------------------------------------------------------------------------------------

    def _instance(self, change: Change) -> None:
        uid, name = change.body["metadata"]["uid"], change.body["metadata"]["name"]
        if change.type is EventType.DELETED:
            self._deleted(uid, name, change.body)
            return
        before, after = (change.before or {}).get("spec") or {}, change.body["spec"]
        self._epoch(name, before, after)
        closed = after.get("closed")
        if closed and closed != before.get("closed") and before.get("grant"):
            self._closing(name, before, closed)
        if after.get("grant"):
            self._grant(uid, name, after)
        self._note_holder(uid, after)

    def _epoch(self, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        old, new = before.get("epoch", 0), after.get("epoch", 0)
        if new not in (old, old + 1):
            self.accuse(f"{name}: epoch {new} after epoch {old}")
        if new == old + 1 and new > 1 and (after.get("closed") or {}).get("epoch") != old:
            self.accuse(f"{name}: epoch {new} is granted, and nothing says that epoch {old} is over")
        if new == old + 1 == 1:
            self._first_epoch(name)

    def _first_epoch(self, name: str) -> None:
        places = self.active[_service(name)]
        if places and self._is_exclusive(name):
            self.accuse(f"{name}: the first epoch is granted while a copy of an earlier time runs on {_where(places)}")

    def _closing(self, name: str, before: Mapping[str, Any], closed: Mapping[str, Any]) -> None:
        """Evidence, held against the truth: nothing of that session's boot may still run it."""
        self.counts[closed["evidence"]] += 1
        host, boot = before["grant"]["host"], before["grant"]["session"]["bootID"]
        machine = self.machines.get(host)
        if not before["exclusive"] or machine is None or not machine.is_on or machine.boot_id != boot:
            return
        if runs := self.active[_service(name)].get(host):
            what = ", ".join(sorted(runs))
            self.accuse(f"{name}: epoch {closed['epoch']} is closed by {closed['evidence']}, but {what} runs on {host}")

    def _grant(self, uid: str, name: str, spec: Mapping[str, Any]) -> None:
        key = (uid, spec["epoch"])
        known = self.grants.setdefault(key, spec["grant"])
        if known != spec["grant"]:
            self.accuse(
                f"{name}: epoch {spec['epoch']} is granted twice: to {known['host']} and {spec['grant']['host']}"
            )

    def _note_holder(self, uid: str, spec: Mapping[str, Any]) -> None:
        if uid in self.holding:
            self.held_s[self.holding.pop(uid)] = _now_s()
        self.open_epoch.pop(uid, None)
        if spec.get("grant"):
            self.open_epoch[uid] = spec["epoch"]
        if spec.get("grant") and spec["exclusive"]:
            session = spec["grant"]["session"]
            self.holding[uid] = f"{session['bootID']}/{session['nonce']}"

    def _deleted(self, uid: str, name: str, body: Raw) -> None:
        if uid in self.holding:
            self.held_s[self.holding.pop(uid)] = _now_s()
        if body["spec"].get("grant"):
            self.accuse(f"{name} is deleted while epoch {body['spec']['epoch']} is open")
        if body["spec"]["exclusive"] and (places := self.active[_service(name)]):
            self.accuse(f"{name} is deleted while it runs on {_where(places)}")

    def _is_exclusive(self, name: str) -> bool:
        return any(owned.is_exclusive for owned in self.owners.values() if owned.service == _service(name))

    # --- what hosts say ---------------------------------------------------------------------------------------------

    def _assignment(self, change: Change) -> None:
        if change.type is EventType.DELETED:
            return
        old, new = ((body or {}).get("status") or {} for body in (change.before, change.body))
        session, host = new.get("session"), change.key[1]
        machine = self.machines.get(host)
        if not session or machine is None or not machine.is_on or machine.boot_id != session["bootID"]:
            return
        before = old.get("instances") or {}
        for uid, report in (new.get("instances") or {}).items():
            was = before.get(uid) or {}
            is_new = report.get("released") and (was.get("epoch"), was.get("released")) != (report["epoch"], True)
            is_new = is_new and self.open_epoch.get(uid) == report["epoch"]  # what is closed may be said again
            runs = self.active[_service(report["name"])].get(host)
            if is_new and runs and self._is_exclusive(report["name"]):
                self.accuse(
                    f"{host} says that {report['name']} epoch {report['epoch']} is released, but {_list(runs)} runs"
                )
        if set(session.get("supersedes") or ()) - set((old.get("session") or {}).get("supersedes") or ()):
            self._superseding(host, session["nonce"])

    def _superseding(self, host: str, nonce: str) -> None:
        exclusive = {owned.service for owned in self.owners.values() if owned.is_exclusive}
        for service in sorted(exclusive):
            if runs := self.active[service].get(host):
                self.accuse(f"{host} opens session {nonce[:6]} over an earlier one, but {_list(runs)} runs there")


def _service(instance_name: str) -> str:
    return instance_name.rpartition("-")[0]


def _where(places: Mapping[str, set[str]]) -> str:
    return "; ".join(f"{name} runs {_list(what)}" for name, what in sorted(places.items()))


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
