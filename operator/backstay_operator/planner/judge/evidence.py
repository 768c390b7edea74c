"""Is an epoch over, and how do we know? No evidence, no grant (PROTOCOL 5).

Each kind of evidence is one row of `KINDS`: what proves it (small functions of stored facts that can never become untrue
again), what to say while it does not, whether it is worth a seal, and when time alone may bring it. Whoever asks about evidence
asks the rows. Lease evidence (sealed and waited out, for a session whose contract carries drilled watchdog numbers) comes later,
as one more row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backstay_api.objects import lease as leases
from backstay_api.objects.models import FenceRequest, HAInstance
from backstay_api.objects.models.assignment import AgentSession
from backstay_api.objects.models.fencing import Confirm
from backstay_api.objects.models.instance import Closed, EvidenceKind, Grant, SessionRef
from backstay_api.objects.texts import clip, confirm_by_hand
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.liveness import Liveness, has_device, is_hands_off, of_host
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
    for kind in KINDS:
        if why := kind.holds(world, instance, grant):
            return Evidence(kind.name, why)
    return Missing(_what_is_missing(world, instance, grant))


def could_be_proven(world: World, host: str) -> bool:
    """Whether anything but a person, or the host itself, could come to prove that the session that holds its Lease is over."""
    return any(kind.could_prove(world, host) for kind in KINDS)


def has_no_means(host: str) -> str:
    """The same as a sentence, where nothing could."""
    return f"{host} has no {' and no '.join(kind.means for kind in KINDS if kind.means)}"


def wakes_s(world: World) -> Iterator[float]:
    """When time alone may bring evidence, of every open grant."""
    for wakes_at_s in filter(None, (kind.wakes_at_s for kind in KINDS)):
        granted = ((instance, instance.spec.grant) for instance in world.instances.values())
        times = (wakes_at_s(world, instance, grant) for instance, grant in granted if grant)
        yield from (at_s for at_s in times if at_s is not None)


def was_lost(closed: Closed) -> bool:
    """Whether the epoch ended with its host, and not because somebody stopped it."""
    return not any(kind.name == closed.evidence and kind.by_will for kind in KINDS)


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


def has_renewed(world: World, host: str, session: AgentSession) -> bool:
    """Whether this session has written its host's Lease by itself: then it lived after every session that had the Lease before.

    True of a version of the Lease stays true, however old it is. A session it was merely reopened for may be long dead.
    """
    seen = world.leases.get(host)
    return seen is not None and seen.lease.holder == session.text and seen.lease.renewal > 0


def confirmation(world: World, request: FenceRequest | None) -> Confirm | None:
    """A person's word that this session's machine is off, unless the session has renewed since: then it was not true.

    A machine that is off never renews again, so one renewal disproves it for ever, however silent the host falls later.
    """
    if request is None or is_disproved(world, request):
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
    return any(kind.ends(world, host, session) for kind in KINDS if kind.ends is not None)


# --- each kind -------------------------------------------------------------------------------------------------------


def _released(world: World, instance: HAInstance, grant: Grant) -> str:
    session, epoch = sessions.published(world, grant.host), instance.spec.epoch
    if session is None or session.boot_id != grant.session.boot_id or session.machine_uuid != grant.machine_uuid:
        return ""
    if session.ref == grant.session:
        report = sessions.report_of(world, grant.host, instance)
        if report is not None and report.released:
            return f"{grant.host} has stopped it verifiably and says that epoch {epoch} is over"
        return ""
    if grant.session.nonce in session.supersedes and session.seq > grant.session.seq:
        return (
            f"session {session.seq} of {grant.host} has superseded session {grant.session.seq},"
            " nothing exclusive of which runs any more"
        )
    return ""


def _booted(world: World, instance: HAInstance, grant: Grant) -> str:
    session = sessions.published(world, grant.host)
    if session is None or session.machine_uuid != grant.machine_uuid:
        return ""
    if session.boot_id == grant.session.boot_id or session.seq <= grant.session.seq:
        return ""
    if not has_renewed(world, grant.host, session):
        # Where a HostAssignment was deleted, seq begins anew, and this may be an old report of an earlier boot.
        return ""
    return f"{grant.host} has booted since: session {session.seq} has another boot id"


def _read_off(world: World, host: str, session: SessionRef) -> str:
    request = request_for(world, host, session)
    if request is None or request.status.evidence is None:
        return ""
    return f"{host} is off: {request.status.evidence.why}"


def _confirmed(world: World, host: str, session: SessionRef) -> str:
    confirm = confirmation(world, request_for(world, host, session))
    if confirm is None or not is_sealed_or_gone(world, host, session):
        return ""
    saw = f": {confirm.reason}" if confirm.reason else ""
    return f"{confirm.by} has confirmed that {host} is powered off{saw}"


def _needs_none(world: World, instance: HAInstance, grant: Grant) -> str:
    if instance.spec.exclusive or not _is_lost(world, grant):
        return ""
    return f"{grant.host} is lost, and two copies of this service do no harm"


def _is_lost(world: World, grant: Grant) -> bool:
    seen = world.leases.get(grant.host)
    if seen is None:
        return grant.host not in world.hosts
    if seen.lease.holder != grant.session.text:
        return True
    return of_host(world, grant.host) in (Liveness.SILENT, Liveness.SEALED)


# --- what is missing -------------------------------------------------------------------------------------------------


def _what_is_missing(world: World, instance: HAInstance, grant: Grant) -> str:
    state = of_host(world, grant.host)
    if state is Liveness.UNSURE:
        return f"{grant.host} is late, but this operator has itself only just reached the API server again"
    lacking = next(filter(None, (kind.missing(world, instance, grant) for kind in KINDS)))
    return lacking if _lives(world, grant) else f"{grant.host} is {_as_people_say(state)}: {lacking}"


def _lives(world: World, grant: Grant) -> bool:
    """Whether the very session that it was granted to renews the Lease."""
    seen = world.leases.get(grant.host)
    return seen is not None and seen.lease.holder == grant.session.text and of_host(world, grant.host) is Liveness.LIVE


def _release_missing(world: World, instance: HAInstance, grant: Grant) -> str:
    if not _lives(world, grant):
        return ""
    report = sessions.report_of(world, grant.host, instance)
    if report is not None and report.phase == "Stuck":
        if report.unrecorded:
            return f"{grant.host} says: {report.why}; it continues by itself as soon as that can be written"
        return (
            f"{grant.host} could not prove that it has stopped ({report.why or 'it does not say why'});"
            f" stop it there by hand, or power the host off and say so: {confirm_by_hand(grant.host)}"
        )
    return f"{grant.host} has not said yet that epoch {instance.spec.epoch} is over"


def _read_off_missing(world: World, instance: HAInstance, grant: Grant) -> str:
    by_hand = f"make sure that it is powered off and say so: {confirm_by_hand(grant.host)}"
    request = request_for(world, grant.host, grant.session)
    if confirmation(world, request) is not None:
        return ""  # a person was quicker
    if is_hands_off(world, grant.host):
        # Nobody asks about its power meanwhile, so a person's word is taken only where that was asked before.
        is_asked = request is not None and request.spec.want != "Withdrawn"
        return f"it is in maintenance (HandsOff), so it is not fenced; end the maintenance{f', or {by_hand}' if is_asked else ''}"
    if not has_device(world, grant.host):
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
        Liveness.UNKNOWN: "not known to be alive",
        Liveness.LIVE: "running another session, which has not reported that the old one is over",
        Liveness.SUSPECT: "late",
        Liveness.SILENT: "silent",
        Liveness.SEALED: "sealed",
    }[state]


# --- the kinds -------------------------------------------------------------------------------------------------------

_OfEpoch = Callable[[World, HAInstance, Grant], str]
_OfSession = Callable[[World, str, SessionRef], str]


def _whole(ends: _OfSession) -> _OfEpoch:
    return lambda world, instance, grant: ends(world, grant.host, grant.session)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of evidence: all that anybody asks about it."""

    name: EvidenceKind
    holds: _OfEpoch
    """What proves that the epoch is over, as a sentence; empty if it is not proven."""
    ends: _OfSession | None = None
    """The same of the whole session, whatever it held, where this kind proves so much."""
    missing: _OfEpoch = lambda world, instance, grant: ""
    """What exactly is missing, and what a person can do; empty if another kind is nearer. The first that says something counts."""
    could_prove: Callable[[World, str], bool] = lambda world, host: False
    """Whether it could come to prove, by itself, that the session that holds this host's Lease is over: then a seal is worth it."""
    means: str = ""
    """What a host needs for that: `fencing device`."""
    wakes_at_s: Callable[[World, HAInstance, Grant], float | None] | None = None
    """When time alone may bring it, on the clock of `World.now_s`. Silence is counted for all hosts (`liveness.next_look_s`)."""
    by_will: bool = False
    """It comes when somebody has stopped the instance: its host was not lost."""


# In the order in which they are asked: who has stopped it says most, and what needs no proof comes last.
KINDS: Final[Sequence[Kind]] = (
    Kind(name="Released", holds=_released, missing=_release_missing, by_will=True),
    Kind(name="Boot", holds=_booted),
    Kind(
        name="Device",
        holds=_whole(_read_off),
        ends=_read_off,
        missing=_read_off_missing,
        could_prove=has_device,
        means="fencing device",
    ),
    Kind(
        name="Manual",
        holds=_whole(_confirmed),
        ends=_confirmed,
        missing=lambda *_: "a person has confirmed that it is powered off; its Lease is being sealed",
    ),
    Kind(name="NotExclusive", holds=_needs_none),
)
