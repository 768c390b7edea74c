"""What the monitor checks about recovery: what is left to others is left alone, an address follows its server, and moves have a budget."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_api.objects.durations import seconds
from backstay_api.objects.kinds import Raw
from backstay_api.objects.lease import HostLease
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.resource_kinds import identities

from .machines import Act, Machine
from .powerwatch import LATELY_S
from .shapes import ServiceShape

_LOST: Final = ("Boot", "Device", "Manual")
_A_MOMENT_S: Final = 1.0
"""Within this an agent need not know that something has died."""


@dataclass(frozen=True)
class Left:
    """A service that its host's agent is to leave to others, and the agent has read that."""

    session: str
    since_s: float


@dataclass
class RecoveryWatch:
    """Judges what agents do to resources, and grants after failures."""

    accuse: Callable[[str], None]
    services: Mapping[str, ServiceShape]
    lease_of: Callable[[str], HostLease | None]
    past: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Actors and resources of which they are told the past only (`Network.past`)."""
    left: dict[tuple[str, str], Left] = field(default_factory=dict)
    """By host and service. An agent writes its status on the version that it has read: that is how one knows what it knows."""
    told_to_stop: set[tuple[str, str, int]] = field(default_factory=set)
    """Host, UID of an HAInstance and epoch: that epoch ends there, also where a person deletes the order to stop and it is wanted again."""
    starting: set[tuple[str, str]] = field(default_factory=set)
    """Machine and resource: its agent is about to start it."""
    failed: set[tuple[str, int, str]] = field(default_factory=set)
    """UID of an HAInstance, epoch and host: it could not be kept running there."""
    died_s: dict[tuple[str, str], float] = field(default_factory=dict)
    """By machine and resource: when it ran last."""
    moves_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By UID of an HAInstance: when it was granted elsewhere because of a failure, since failures were cleared last."""
    uid_of: dict[str, str] = field(default_factory=dict)
    """By service: the UID of its HAInstance."""
    last: dict[str, str] = field(default_factory=dict)
    """By UID of an HAInstance: the host of its last grant."""
    named_by: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By resource on a machine: the services that have ever named it."""
    budget: dict[str, tuple[int, float] | None] = field(default_factory=dict)
    """By service: its moves, and in how many seconds."""
    asked_for: defaultdict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    """By service: where people have asked for it to move to, and until when an operator may know no better; until it is granted there."""

    # --- machines -------------------------------------------------------------------------------------------------

    def on_change(self, machine: Machine, identity: str, runs: bool) -> None:
        """Something runs, or runs no longer."""
        if not runs:
            self.died_s[machine.name, identity] = _now_s()

    def on_act(self, machine: Machine, identity: str, act: Act) -> None:
        """An agent starts or stops a resource."""
        if act == "started":
            self.starting.discard((machine.name, identity))
            return
        for name, shape in self.services.items():
            addresses = [f"address {address}" for address in shape.addresses]
            server = f"unit {shape.unit}"
            if len(self.named_by[identity]) > 1:
                continue  # another service has named it, so who knows for which it is done
            if identity in (server, *addresses):
                self._is_left_alone(machine, name, identity, act)
            if shape.addresses_after == ():
                continue
            if act == "start" and identity in addresses:
                self._follows(machine, server, identity)
            if act == "stop" and identity == server and server in machine.state.running:
                self._goes_first(machine, server, addresses)
        if act == "start":
            self.starting.add((machine.name, identity))

    def _is_left_alone(self, machine: Machine, service: str, identity: str, act: str) -> None:
        left, lease = self.left.get((machine.name, service)), self.lease_of(machine.name)
        if left is None or machine.goes_down or _now_s() - left.since_s < _A_MOMENT_S:
            return
        is_sealed = lease is None or lease.sealed or lease.holder != left.session
        if act == "start" or not is_sealed:
            self.accuse(f"the agent of {machine.name} {act}s {identity}, though it leaves {service} to others")

    def _follows(self, machine: Machine, server: str, address: str) -> None:
        ran_s = self.died_s.get((machine.name, server), float("-inf"))
        is_gone = server not in machine.state.running and _now_s() - ran_s > _A_MOMENT_S
        if is_gone or (machine.name, server) in self.starting:
            self.accuse(f"{address} starts on {machine.name}, and {server}, after which it comes, does not work yet")

    def _goes_first(self, machine: Machine, server: str, addresses: list[str]) -> None:
        for address in addresses:
            if len(self.named_by[address]) > 1:
                continue
            if address in machine.state.running and not machine.state.scripts[address].stop_fails:
                self.accuse(f"{server} is stopped on {machine.name} while {address}, which comes after it, is up")

    def agent_died(self, host: str) -> None:
        """The next agent need not know what the last one did."""
        self.starting = {one for one in self.starting if one[0] != host}
        self.left = {key: left for key, left in self.left.items() if key[0] != host}

    # --- what is written --------------------------------------------------------------------------------------------

    def observe(self, change: Change) -> None:
        """One committed write."""
        match change.resource:
            case HOST_ASSIGNMENTS.resource:
                self._assignment(change)
            case HA_SERVICES.resource:
                self._service(change)
            case HA_INSTANCES.resource if change.type is not EventType.DELETED:
                self._instance(change)

    def _assignment(self, change: Change) -> None:
        host, is_gone = change.key[1], change.type is EventType.DELETED
        spec, status = ({} if is_gone else change.body.get(part) or {} for part in ("spec", "status"))
        ordered = spec.get("instances") or {}
        orders = {one["service"]: (uid, one) for uid, one in ordered.items()}
        self.told_to_stop |= {(host, uid, one["epoch"]) for uid, one in ordered.items() if one["want"] == "Down"}
        nonce, knows = (status.get("session") or {}).get("nonce"), change.actor == f"agent-{host}"
        for name in self.services:
            (uid, order), key = orders.get(name, ("", None)), (host, name)
            if order is None or not self._leaves(host, uid, order, nonce):
                self.left.pop(key, None)
            elif knows and key not in self.left:
                self.left[key] = Left(f"{order['session']['bootID']}/{nonce}", _now_s())
        reports = (status.get("instances") or {}).items()
        self.failed |= {(uid, one["epoch"], host) for uid, one in reports if one["phase"] == "Failed"}

    def _leaves(self, host: str, uid: str, order: Raw, nonce: str | None) -> bool:
        """Whether the session that speaks there is told to leave it to others, and was not told to stop it before."""
        was_told_to_stop = (host, uid, order["epoch"]) in self.told_to_stop
        return bool(order.get("handsOff")) and order["session"]["nonce"] == nonce and not was_told_to_stop

    def _service(self, change: Change) -> None:
        name = change.key[1]
        moves = (change.body["spec"].get("recovery") or {}).get("moves")
        self.budget[name] = (moves["limit"], seconds(moves["per"])) if moves else None
        for what in identities(map(RenderedResource.from_wire, change.body["spec"]["resources"])):
            self.named_by[what].add(name)
        self._note_wish(name, _asked_for(_annotations(change.body).get("backstay.dev/move", "")))
        word = "backstay.dev/clear"
        if word in _annotations(change.before) or word in _annotations(change.body):
            self.moves_s.pop(self.uid_of.get(name, ""), None)

    def _note_wish(self, service: str, wished: set[str]) -> None:
        """One that was withdrawn, or is over, is acted upon by those that learn of it late."""
        asked, known_s = self.asked_for[service], _now_s() + LATELY_S
        asked.update({host: min(until_s, known_s) for host, until_s in asked.items()})
        asked.update(dict.fromkeys(wished, float("inf")))

    def _instance(self, change: Change) -> None:
        uid, spec, service = change.body["metadata"]["uid"], change.body["spec"], change.body["spec"]["service"]["name"]
        self.uid_of[service] = uid
        grant, evidence = spec.get("grant"), (spec.get("closed") or {}).get("evidence", "")
        was = ((change.before or {}).get("spec") or {}).get("grant")
        if grant and grant != was:
            host, self.last[uid] = self.last.get(uid, ""), grant["host"]
            has_failed = evidence in _LOST or (uid, spec["epoch"] - 1, host) in self.failed
            # Who is told of the past of services only can write no status there, so that nobody learns of this move.
            can_tell = (change.actor, HA_SERVICES.resource) not in self.past
            was_asked_for = self.asked_for[service].pop(grant["host"], float("-inf")) > _now_s()
            if has_failed and can_tell and not was_asked_for and host not in ("", grant["host"]):
                self._moved(uid, service)

    def _moved(self, uid: str, service: str) -> None:
        budget, times = self.budget.get(service), self.moves_s[uid]
        times.append(_now_s())
        if budget is None:
            return
        limit, per_s = budget
        # One may not have been told yet when the operator that made it died.
        if len([at_s for at_s in times if _now_s() - at_s < per_s]) > limit + 1:
            self.accuse(f"{service} has failed over more than {limit} times in {per_s:g} s")


def _asked_for(wish: str) -> set[str]:
    """The host that a person asks for; none, where the annotation is nothing that anybody could carry out."""
    try:
        return {json.loads(wish)["host"]}
    except (ValueError, LookupError, TypeError, RecursionError):
        return set()


def _annotations(body: Raw | None) -> Raw:
    return (body or {}).get("metadata", {}).get("annotations") or {}


def _now_s() -> float:
    return asyncio.get_running_loop().time()
