"""Sessions: who may be given a grant, what every host needs in order to open one, and when a sealed Lease opens again.

PROTOCOL 3. A sealed Lease is reopened for any newer session that its host has published, whether or not that session
still lives: waiting for a living taker would leave the host's services stuck.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from backstay_api.objects.models import FenceRequest, HAInstance, HAService
from backstay_api.objects.models.assignment import AgentSession, HostAssignmentStatus, InstanceReport
from backstay_api.objects.models.instance import SessionRef
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HOST_LEASES
from backstay_operator.planner.actions import Action, CreateLease, ReopenLease
from backstay_operator.planner.preconditions import Gone, HoldsNothing, Precondition, as_known, still

from .liveness import Liveness, held, of_host
from .world import World

_UNDONE: Final = "a seal of {} might be undone"


def published(world: World, host: str) -> AgentSession | None:
    """The session that speaks in the host's report, alive or not."""
    assignment = world.assignments.get(host)
    return assignment.status.session if assignment else None


def report_of(world: World, host: str, instance: HAInstance) -> InstanceReport | None:
    """What the host's report says of the present epoch of an instance."""
    assignment = world.assignments.get(host)
    report = assignment.status.instances.get(instance.uid) if assignment else None
    return report if report is not None and report.epoch == instance.spec.epoch else None


def failed_report(service: HAService, instance: HAInstance | None, says: HostAssignmentStatus) -> InstanceReport | None:
    """What a host says of the latest epoch, if that is: I could not start the present manifest."""
    report = says.instances.get(instance.uid) if instance else None
    if report is None or instance is None or report.phase != "Failed" or says.hands_off or report.hands_off:
        return None  # with hands off, what an admin stops or breaks is his own affair
    return report if (report.epoch, report.revision) == (instance.spec.epoch, service.metadata.generation) else None


def live(world: World, host: str) -> AgentSession | None:
    """The host's session, if it may be given a grant: it holds its Lease unsealed, renews it, and it is the one that reports."""
    session, seen = published(world, host), world.leases.get(host)
    if session is None or seen is None or of_host(world, host) is not Liveness.LIVE:
        return None
    # A Lease that was reopened for a session which has not renewed it yet says nothing about its life.
    holds = seen.lease.holder == session.text and seen.lease.seq == session.seq and seen.lease.renewal > 0
    return session if holds else None


def request_name(host: str, session: SessionRef) -> str:
    """Name of the FenceRequest for exactly this session of this host."""
    # 64 bits of hash tell the sessions of one host apart; the host's name stays readable before it.
    return f"{host}-{hashlib.sha256(session.text.encode()).hexdigest()[:16]}"


def lease_actions(world: World, host: str) -> list[Action]:
    """What the operator has to do so that the host's present session can renew a Lease."""
    seen, session = world.leases.get(host), published(world, host)
    if seen is None:
        if world.why_unreadable(HOST_LEASES.kind, host):
            return []  # it is there
        return [_new_lease(world, host)] if _is_wanted(world, host) or held(world, host) else []
    if session is not None and is_back(world, host) and _is_told(world, host):
        why = f"{host} has opened session {session.seq}, newer than the sealed session {seen.lease.seq}"
        return [ReopenLease(seen.lease, session.ref, why)]
    return []


def is_back(world: World, host: str) -> bool:
    """Whether its Lease is sealed, and a newer session speaks: for that one it is reopened at once, whatever is proven of the other."""
    seen, session = world.leases.get(host), published(world, host)
    return seen is not None and seen.lease.sealed and session is not None and session.seq > seen.lease.seq


def _new_lease(world: World, host: str) -> CreateLease:
    """A Lease that is not there, as it has to be: unsealed for whoever opens a session, or sealed again."""
    grants = [world.instances[key].spec.grant for key in held(world, host)]
    granted = [grant.session for grant in grants if grant is not None]
    last = max(granted, key=_seq, default=None)
    sealed = max((*_sealed_by_requests(world, host), *_seen_sealed(world, host)), key=_seq, default=None)
    if sealed is not None and (last is None or sealed.seq >= last.seq):
        return CreateLease(
            host, f"the Lease of {host} was sealed when somebody deleted it: a seal is never undone", sealed, True
        )
    if last is None:
        return CreateLease(host, f"{host} has no Lease to renew", needs=tuple(_nobody_sealed(world, host)))
    if any(world.requests[name].spec.session == last for name in world.requests_of.get(host, ())):
        # Whoever seals it asks about its power before, and may have died before he said more.
        return CreateLease(
            host, f"the session that holds something on {host} was doubted: it may have been sealed", last, True
        )
    why = f"{host} holds a service and has no Lease by which its silence could be noticed"
    return CreateLease(host, why, last, needs=tuple(_not_sealed(world, host, last)))


def _not_sealed(world: World, host: str, session: SessionRef) -> Iterator[Precondition]:
    """That no seal is undone is concluded from what we have not seen: the grant must stand at the API server, and no request be there."""
    what_for = _UNDONE.format(host)
    yield as_known(world.hosts.get(host), host, what_for)  # its status has the last seal
    instances = (world.instances[key] for key in held(world, host))
    yield from (still(one, same_version=True, what_for=what_for) for one in instances if _is_of(one, session))
    yield Gone(FENCE_REQUESTS.kind, "", request_name(host, session), "", what_for)


def _nobody_sealed(world: World, host: str) -> Iterator[Precondition]:
    """The same for a Lease that nobody is to hold, where a session may take it: a host that has never had one is not held up."""
    known = world.hosts.get(host)
    if published(world, host) is not None or (known is not None and known.status.session is not None):
        yield HoldsNothing(host, _UNDONE.format(host))
        yield as_known(known, host, _UNDONE.format(host))


def _is_of(instance: HAInstance, session: SessionRef) -> bool:
    return instance.spec.grant is not None and instance.spec.grant.session == session


def _sealed_by_requests(world: World, host: str) -> list[SessionRef]:
    """Sessions that are sealed, or over, as their FenceRequests show: `Off`, evidence and reads marked so come after the seal only."""
    requests = (world.requests[name] for name in world.requests_of.get(host, ()))
    return [one.spec.session for one in requests if _is_after_seal(one)]


def _is_after_seal(request: FenceRequest) -> bool:
    status = request.status
    return request.spec.want == "Off" or status.evidence is not None or any(read.sealed for read in status.reads)


def _is_told(world: World, host: str) -> bool:
    """Whether the Host's status has the seal: what takes its place in the Lease is the last that could tell of it."""
    known = world.hosts.get(host)
    return known is None or known.status.sealed == last_sealed(world, host)


def _seen_sealed(world: World, host: str) -> list[SessionRef]:
    """The session that an operator saw sealed, if it may still matter: a request may be gone too, or withdrawn for maintenance.

    It does where something is granted: to that session, to one before it, or (which does no harm) to a newer one.
    Where nothing is, only while it speaks for its host: another machine may count its sessions from 1 again.
    """
    sealed, speaks = last_sealed(world, host), published(world, host)
    matters = held(world, host) or (sealed is not None and speaks is not None and speaks.text == sealed.text)
    return [sealed] if sealed is not None and matters else []


def last_sealed(world: World, host: str) -> SessionRef | None:
    """The session that was sealed last, as we saw it or an operator before us did.

    It is not forgotten when a newer one holds the Lease: that Lease may be deleted too, and its session unknown to whoever makes the next.
    """
    lease, known = world.last_sealed.get(host), world.hosts.get(host)
    told = known.status.sealed if known else None
    for one in _known(world, host) if lease is not None else ():
        if lease is not None and one.text == lease.holder and (told is None or one.seq >= told.seq):
            return one
    return told


def _known(world: World, host: str) -> list[SessionRef]:
    """Sessions that hold something here, and the one that speaks for the host."""
    grants = [world.instances[key].spec.grant for key in held(world, host)]
    speaks = published(world, host)
    return [*(grant.session for grant in grants if grant is not None), *([speaks.ref] if speaks else ())]


def _seq(session: SessionRef) -> int:
    return session.seq


def _is_wanted(world: World, host: str) -> bool:
    known = world.hosts.get(host)
    return known is not None and known.metadata.deletion_timestamp is None
