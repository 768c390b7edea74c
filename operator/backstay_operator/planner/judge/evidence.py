"""Is an epoch over, and how do we know? No evidence, no grant (PROTOCOL 5).

Each kind of evidence is one small function of stored facts that can never become untrue again. Where none holds, the
answer says what exactly is missing and what a person can do. Lease evidence (sealed and waited out, for a session whose
contract carries drilled watchdog numbers) comes later and will be one more function in `_KINDS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backstay_api.objects import lease as leases
from backstay_api.objects.models import FenceRequest, HAInstance
from backstay_api.objects.models.fencing import Confirm
from backstay_api.objects.models.instance import EvidenceKind, Grant, SessionRef
from backstay_api.objects.texts import clip
from backstay_api.objects.wording import NOT_RECORDED
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.liveness import Liveness, of_host
from backstay_operator.planner.know.world import World


@dataclass(frozen=True)
class Evidence:
    """The proof that an epoch is over."""

    kind: EvidenceKind
    why: str

    def __post_init__(self) -> None:
        # Half of it is other people's words (a confirmer's reason, a fence agent's sentence), and it becomes `Closed.why`.
        object.__setattr__(self, "why", clip(self.why))


@dataclass(frozen=True)
class Missing:
    """Nothing proves that the epoch is over."""

    why: str
    """What exactly is missing, and what a person can do about it."""


def closed(world: World, instance: HAInstance) -> Evidence | Missing:
    """Whether the present epoch of an instance with an open grant is over, and by what."""
    grant = instance.spec.grant
    assert grant is not None, f"{instance.key}: epoch {instance.spec.epoch} has no open grant to close"
    for kind in _KINDS:
        found = kind(world, instance, grant)
        if found is not None:
            return found
    return Missing(_what_is_missing(world, instance, grant))


def request_name(host: str, session: SessionRef) -> str:
    """Name of the FenceRequest for exactly this session of this host."""
    # 64 bits of hash tell the sessions of one host apart; the host's name stays readable before it.
    return f"{host}-{hashlib.sha256(session.text.encode()).hexdigest()[:16]}"


def request_for(world: World, host: str, session: SessionRef) -> FenceRequest | None:
    """The FenceRequest for exactly this session, under whatever name."""
    for name in sorted(world.requests_of.get(host, ())):
        request = world.requests[name]
        if request.spec.host == host and request.spec.session == session:
            return request
    return None


def is_sealed_or_gone(world: World, host: str, session: SessionRef) -> bool:
    """Whether this session can never renew again: its Lease is sealed, or somebody else's."""
    seen = world.leases.get(host)
    return seen is not None and leases.is_over(seen.lease, holder=session.text, seq=session.seq)


def confirmation(world: World, request: FenceRequest | None) -> Confirm | None:
    """A person's word that this session's machine is off, unless the session has renewed since: then it was not true.

    A machine that is off never renews again, so one renewal disproves it for ever, however silent the host falls later.
    """
    if request is None or request.spec.confirm is None or is_disproved(world, request):
        return None
    return request.spec.confirm


def is_disproved(world: World, request: FenceRequest) -> bool:
    """Whether this very session has renewed after a person confirmed that its machine is off."""
    seen, confirmed_s = world.leases.get(request.spec.host), world.confirmed_s.get(request.key)
    if seen is None or seen.moved_s is None or confirmed_s is None:
        return False
    return seen.lease.holder == request.spec.session.text and seen.moved_s > confirmed_s


def is_proven_over(world: World, host: str, session: SessionRef) -> bool:
    """Whether a device or a person has proven that this whole session is over, whatever it held."""
    request = request_for(world, host, session)
    if request is None:
        return False
    confirmed = confirmation(world, request) is not None and is_sealed_or_gone(world, host, session)
    return request.status.evidence is not None or confirmed


# --- each kind -------------------------------------------------------------------------------------------------------


def _released(world: World, instance: HAInstance, grant: Grant) -> Evidence | None:
    session, epoch = sessions.published(world, grant.host), instance.spec.epoch
    if session is None or session.boot_id != grant.session.boot_id or session.machine_uuid != grant.machine_uuid:
        return None
    if session.ref == grant.session:
        report = world.assignments[grant.host].status.instances.get(instance.uid)
        if report is not None and report.released and report.epoch == epoch:
            return Evidence("Released", f"{grant.host} has stopped it verifiably and says that epoch {epoch} is over")
        return None
    if grant.session.nonce in session.supersedes and session.seq > grant.session.seq:
        return Evidence(
            "Released",
            f"session {session.seq} of {grant.host} has superseded session {grant.session.seq},"
            " nothing exclusive of which runs any more",
        )
    return None


def _booted(world: World, instance: HAInstance, grant: Grant) -> Evidence | None:
    session = sessions.published(world, grant.host)
    if session is None or session.machine_uuid != grant.machine_uuid:
        return None
    if session.boot_id == grant.session.boot_id or session.seq <= grant.session.seq:
        return None
    return Evidence("Boot", f"{grant.host} has booted since: session {session.seq} has another boot id")


def _read_off(world: World, instance: HAInstance, grant: Grant) -> Evidence | None:
    request = request_for(world, grant.host, grant.session)
    if request is None or request.status.evidence is None:
        return None
    return Evidence("Device", f"{grant.host} is off: {request.status.evidence.why}")


def _confirmed(world: World, instance: HAInstance, grant: Grant) -> Evidence | None:
    confirm = confirmation(world, request_for(world, grant.host, grant.session))
    if confirm is None or not is_sealed_or_gone(world, grant.host, grant.session):
        return None
    saw = f": {confirm.reason}" if confirm.reason else ""
    return Evidence("Manual", f"{confirm.by} has confirmed that {grant.host} is powered off{saw}")


def _needs_none(world: World, instance: HAInstance, grant: Grant) -> Evidence | None:
    if instance.spec.exclusive or not _is_lost(world, grant):
        return None
    return Evidence("NotExclusive", f"{grant.host} is lost, and two copies of this service do no harm")


def _is_lost(world: World, grant: Grant) -> bool:
    seen = world.leases.get(grant.host)
    if seen is None:
        return grant.host not in world.hosts
    if seen.lease.holder != grant.session.text:
        return True
    return of_host(world, grant.host) in (Liveness.SILENT, Liveness.SEALED)


_KINDS: Final[Sequence[Callable[[World, HAInstance, Grant], Evidence | None]]] = (
    _released,
    _booted,
    _read_off,
    _confirmed,
    _needs_none,
)


# --- what is missing -------------------------------------------------------------------------------------------------


def _what_is_missing(world: World, instance: HAInstance, grant: Grant) -> str:
    state = of_host(world, grant.host)
    seen = world.leases.get(grant.host)
    if seen is not None and seen.lease.holder == grant.session.text and state is Liveness.QUIET:
        return _missing_from_a_live_host(world, instance, grant)
    if state is Liveness.UNSURE:
        return f"{grant.host} is late, but this operator's own way to the API server has only just come back"
    return f"{grant.host} is {_as_people_say(state)}: {_missing_from_a_lost_host(world, grant)}"


def _missing_from_a_live_host(world: World, instance: HAInstance, grant: Grant) -> str:
    assignment = world.assignments.get(grant.host)
    report = assignment.status.instances.get(instance.uid) if assignment else None
    if report is not None and report.epoch == instance.spec.epoch and report.phase == "Stuck":
        if NOT_RECORDED in report.why:
            return f"{grant.host} says: {report.why}; it goes on by itself as soon as that can be written there"
        return (
            f"{grant.host} could not prove that it has stopped ({report.why or 'it does not say why'});"
            f" stop it there by hand, or power the host off and say so: `backstay fence {grant.host} --confirm`"
        )
    return f"{grant.host} has not said yet that epoch {instance.spec.epoch} is over"


def _missing_from_a_lost_host(world: World, grant: Grant) -> str:
    host = world.hosts.get(grant.host)
    by_hand = f"make sure that it is powered off and say so: `backstay fence {grant.host} --confirm`"
    request = request_for(world, grant.host, grant.session)
    if confirmation(world, request) is not None:
        return "a person has confirmed that it is powered off; its Lease is being sealed"
    if host is not None and host.is_hands_off:
        return f"it is in maintenance (HandsOff), so it is not fenced; end the maintenance, or {by_hand}"
    if host is None or not host.spec.fencing.levels:
        return f"nothing can prove that it is off, for it has no fencing device; {by_hand}"
    if request is not None and request.spec.want == "Off":
        lacks = request.status.missing
        return (
            f"it is not proven off: {lacks}; {by_hand}"
            if lacks
            else f"its fencing device has not shown yet that it is off; or {by_hand}"
        )
    return f"it is not proven to be off yet; its power is being read, or {by_hand}"


def _as_people_say(state: Liveness) -> str:
    return {
        Liveness.UNKNOWN: "not known to live",
        Liveness.QUIET: "in the hands of another session, which has not said that the old one is over",
        Liveness.SUSPECT: "late",
        Liveness.SILENT: "silent",
        Liveness.SEALED: "sealed",
    }[state]
