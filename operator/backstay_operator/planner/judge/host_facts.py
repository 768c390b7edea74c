"""What is true of one host, whichever service asks: worked out once, and again only when one of that host's objects has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.models import Host, HostAssignment
from backstay_api.objects.models.assignment import HostAssignmentStatus
from backstay_api.objects.object_kinds import HOST_ASSIGNMENTS, HOST_LEASES
from backstay_operator.planner.know.liveness import Liveness, age_s, of_host, shutting_down, unfit
from backstay_operator.planner.know.sessions import live, published
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import roughly

# A FenceRequest is named by its host and 17 characters more, and the API server takes 253.
MOST_HOST_NAME_CHARS: Final = 236
_NOTHING_SAID: Final = HostAssignmentStatus()


@dataclass(frozen=True)
class Rejected:
    """A host may not run it, and by which rule."""

    rule: str
    """One word for programs: Selector, Maintenance, Session, …"""
    one: str
    """What follows "n1 …" or "1 …": `is not ready`."""
    many: str
    """What follows "2 …": `are not ready`."""
    particulars: str = ""
    """What hosts may have in common, most often a mistake in the manifest, and is then said once: `unit web.service is masked`."""
    has_copy: bool = False
    """Because it has a copy of the service already, or one of its own: nobody expects it to stand by for another."""
    is_passing: bool = False
    """What passes by itself, or is asked for and mended within minutes: whoever wishes for this host may wait for it."""
    is_unanswered: bool = False
    """Because it has yet to say something that it is asked."""
    is_between_services: bool = False
    """For what another service has done, which may yet do it again (`restless.py`)."""
    look_again_s: float | None = None
    """When it will be over though nobody writes anything, on the clock of `World.now_s`."""
    reason: str = ""
    """The reason in a condition, of the Host or of the service, where that is another word than the rule."""

    @property
    def why(self) -> str:
        return f"{self.one}: {self.particulars}" if self.particulars else self.one


@dataclass(frozen=True)
class HostFacts:
    """What is true of one host now, whichever service asks."""

    name: str
    host: Host
    report: HostAssignmentStatus
    asked: frozenset[str]
    """UIDs of the instances that it has been asked to keep itself ready for."""
    leaving: Rejected | None
    """Nothing may stay here: it is being removed, drained, or not fit and to be left then."""
    barred: Rejected | None
    """Nothing new may come here, whether it is on or not: leaving, cordoned or in other hands."""
    unschedulable: Rejected | None
    """Nothing new may come here now."""
    no_session: Rejected | None
    """No session that a grant could be bound to."""
    lost: Rejected | None
    """The same, but for what passes, as being late: that alone is no reason to change who stands by."""
    services: int
    """Instances that are granted to it."""


def facts_of(world: World, name: str) -> HostFacts:
    """The facts of one host, kept until one of its objects or the time has changed."""
    host = world.hosts[name]
    return world.once("facts", (host,), lambda: _kept_facts(world, host))


def all_facts(world: World) -> Mapping[str, HostFacts]:
    """Those of all hosts, by name: collected once a plan."""
    return world.once("all facts", (), lambda: {name: facts_of(world, name) for name in world.hosts})


def some_are_tainted(world: World) -> bool:
    """Whether any host has a taint."""
    return world.once("tainted", (), lambda: any(host.spec.taints for host in world.hosts.values()))


def _kept_facts(world: World, host: Host) -> HostFacts:
    name = host.metadata.name
    assignment, seen = world.assignments.get(name), world.leases.get(name)
    held = len(world.held_by.get(name, ()))
    # The number and the time are compared by identity too: at worst that works the facts out once more than needed.
    made_from = (host, assignment, seen, held, world.now_s, world.own_path)
    return world.keep("facts", name, made_from, lambda: _facts(world, host, assignment))


def _facts(world: World, host: Host, assignment: HostAssignment | None) -> HostFacts:
    name = host.metadata.name
    report = assignment.status if assignment else _NOTHING_SAID
    leaving, no_session = _leaving(host, report), why_no_session(world, name)
    barred = leaving or _unschedulable(host)
    return HostFacts(
        name=name,
        host=host,
        report=report,
        asked=frozenset(assignment.spec.standbys) if assignment else frozenset(),
        leaving=leaving,
        barred=barred,
        unschedulable=barred or _going_down(world, name),
        no_session=no_session,
        lost=None if no_session and no_session.is_passing else no_session,
        services=len(world.held_by.get(name, ())),
    )


def _leaving(host: Host, report: HostAssignmentStatus) -> Rejected | None:
    if host.metadata.deletion_timestamp:
        return Rejected("Removed", "is being removed", "are being removed")
    maintenance = host.spec.maintenance
    if maintenance and maintenance.mode == "Drain":
        why = f"is being drained{_because(maintenance.reason)}"
        return Rejected("Maintenance", why, "are being drained", reason=maintenance.mode)
    if why := unfit(host, report):
        return Rejected("Unfit", f"is not fit, and to be left then ({why})", "are not fit", is_passing=True)
    return None


def _unschedulable(host: Host) -> Rejected | None:
    if len(host.metadata.name) > MOST_HOST_NAME_CHARS:
        why = f"has a name of {len(host.metadata.name)} characters, and what is named after it leaves room for {MOST_HOST_NAME_CHARS}"
        return Rejected("NameTooLong", why, "have names that are too long")
    maintenance = host.spec.maintenance
    if maintenance is None or maintenance.mode == "Drain":
        return None
    what = "in HandsOff maintenance" if host.is_hands_off else "cordoned"
    return Rejected("Maintenance", f"is {what}{_because(maintenance.reason)}", f"are {what}", reason=maintenance.mode)


def _going_down(world: World, name: str) -> Rejected | None:
    """Its agent has said that the machine shuts down: what runs there is being stopped, and nothing comes there any more."""
    how = shutting_down(world, name)
    return Rejected("ShuttingDown", f"is shutting down{_because(how)}", "are shutting down") if how else None


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def why_no_session(world: World, name: str) -> Rejected | None:
    """Why nothing could be granted to the session that speaks for this host; nothing, if something could."""
    session, seen = published(world, name), world.leases.get(name)
    if session is None or seen is None:
        for kind in (HOST_ASSIGNMENTS.kind, HOST_LEASES.kind):
            if why := world.why_unreadable(kind, name):
                what = f"a {kind} that cannot be read"
                return Rejected("Unreadable", f"has {what}", f"have {what}", why)
        return Rejected("Session", "has never reported", "have never reported", "is its agent running?")
    match of_host(world, name):
        case Liveness.SEALED:
            was = "something could not be stopped there, and it" if seen.lease.sealed_alive else "it was silent and"
            return Rejected("Session", "is sealed", "are sealed", f"{was} has not come back yet")
        case Liveness.SILENT:
            return Rejected("Session", f"has been silent for {roughly(age_s(world, seen))}", "are silent")
        case Liveness.SUSPECT | Liveness.UNSURE:
            return Rejected("Late", "is late with its heartbeat", "are late with their heartbeat", is_passing=True)
        case Liveness.LIVE if live(world, name):
            return None
        case Liveness.LIVE | Liveness.UNKNOWN:
            return Rejected("Session", "has not opened a session yet", "have not opened a session yet")
