"""What to do about a host that is late: look at its power, seal its session, want it off, or take all of that back.

PROTOCOL 4. Only a session that holds an open grant for something exclusive is touched. Before any seal or `Off` the
guard is asked (`fence_guard.py`), which knows all hosts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, HAInstance, Host
from backstay_api.objects.models.fencing import FenceRequestSpec
from backstay_api.objects.models.instance import Grant, SessionRef
from backstay_api.objects.promise import silent_after_s
from backstay_api.objects.texts import clip
from backstay_operator.planner.actions import Action, DeleteFence, RequestFence, SealLease, UpdateFence
from backstay_operator.planner.judge.budget import is_in_status
from backstay_operator.planner.judge.evidence import Missing, closed, confirmation, is_disproved, request_for
from backstay_operator.planner.judge.first_epoch import awaited
from backstay_operator.planner.judge.stuck import stops_in_order
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.liveness import (
    Liveness,
    age_s,
    has_device,
    held,
    holds_exclusively,
    is_hands_off,
    of_host,
    trusts_itself,
)
from backstay_operator.planner.know.world import BUDGET_PERIOD_S, LeaseSeen, World
from backstay_operator.planner.preconditions import Precondition, removed
from backstay_operator.planner.words import listed

from .fence_guard import Guard, held_back, is_read_off, present_request

Want = Literal["Observe", "Off", "Withdrawn"]


def fence_actions(world: World, guard: Guard, host: str) -> list[Action]:
    """Everything to be done about one host's sessions, present and past."""
    if given_up := _given_up(world, host):
        return given_up
    return [*_present_actions(world, guard, host), *_awaited_actions(world, host), *_past_actions(world, host)]


def _given_up(world: World, host: str) -> list[Action]:
    """A request that somebody has deleted goes as soon as it owes nothing; if it is needed, another is made, and its power read afresh."""
    requests = (world.requests[name] for name in sorted(world.requests_of.get(host, ())))
    return [
        DeleteFence(request, "somebody has deleted it, and it owes nothing")
        for request in requests
        if request.metadata.deletion_timestamp and not owes_on(world, request) and is_in_status(world, request)
    ]


# --- the session that holds the Lease --------------------------------------------------------------------------------


def _present_actions(world: World, guard: Guard, host: str) -> list[Action]:
    seen = world.leases.get(host)
    if seen is None or not seen.lease.holder:
        return []
    state = of_host(world, host)
    if disproved := _disproved(world, host):
        return disproved
    if state is Liveness.LIVE:
        lives = _take_back(world, host, f"{host} has renewed its Lease: it was a false alarm")
        return [*lives, *_seal_alive(guard, host, seen.lease)]
    if not holds_exclusively(world, host, seen.lease.holder):
        return []
    if state.is_late:
        return [*_observe(world, host, f"{host} is {state.value.lower()}"), *_seal(world, guard, host, seen.lease)]
    if state is Liveness.SEALED:
        return _cut_off(world, guard, host, seen.lease)
    return []


def _disproved(world: World, host: str) -> list[Action]:
    """A person's word that was not true goes, with its request, so that it can never count and a better one can be given."""
    request = present_request(world, host)
    if request is None or request.status.evidence is not None or not is_disproved(world, request):
        return []
    by = request.spec.confirm.by if request.spec.confirm else "somebody"
    why = f"{by} has confirmed that {host} is powered off, but it has renewed its Lease since: that does not count"
    return [DeleteFence(request, why)]


def _observe(world: World, host: str, why: str) -> list[Action]:
    if is_hands_off(world, host):
        return []
    return _want(world, host, "Observe", why)


def _seal(world: World, guard: Guard, host: str, lease: HostLease) -> list[Action]:
    why = _reason_to_seal(world, host)
    if why is None or held_back(world, guard, host) is not None:
        return []
    assert trusts_itself(world), f"{host}: nobody is sealed while our own path is not healthy"
    return [SealLease(lease, why)]


def _seal_alive(guard: Guard, host: str, lease: HostLease) -> list[Action]:
    """The end of a stop that does not succeed. What follows is as with a host that is silent: without a seal, no `Off`."""
    found = guard.stuck.get(host)
    if found is None or found.why_not:
        return []
    return [SealLease(lease, f"{listed(found.services)} cannot be stopped on {host}", alive=True)]


def _reason_to_seal(world: World, host: str) -> str | None:
    request, state = present_request(world, host), of_host(world, host)
    if is_read_off(request):
        return f"{host} is late, and its fencing device says that it is off"
    if state is not Liveness.SILENT:
        return None
    if confirm := confirmation(world, request):
        return f"{host} is silent, and {confirm.by} has confirmed that it is powered off"
    # No age in the text: an action that another replica watches must stay the same while nothing changes.
    return f"{host} is silent: three renewals in a row are missing"


def _cut_off(world: World, guard: Guard, host: str, lease: HostLease) -> list[Action]:
    assert lease.sealed, f"{host}: no Off for an unsealed session"
    if not _proof_is_missing(world, host, lease.holder):
        return []
    if held_back(world, guard, host) is None and has_device(world, host) and not stops_in_order(world, host):
        was = "lives, with something that cannot be stopped" if lease.sealed_alive else "was silent"
        return _want(world, host, "Off", f"{host} {was}; its session is sealed and must be proven to be over")
    if is_hands_off(world, host):
        return _take_back(world, host, f"{host} is in maintenance (HandsOff)")
    # What has been ordered stays ordered when the guard closes behind it (`_is_ahead`); a new order waits, and reads go on.
    return _want(world, host, "Observe", f"{host} is sealed")


def _proof_is_missing(world: World, host: str, holder: str) -> bool:
    return any(
        instance.spec.exclusive and isinstance(closed(world, instance), Missing)
        for instance, grant in _held_instances(world, host)
        if grant.session.text == holder
    )


def _want(world: World, host: str, want: Want, why: str) -> list[Action]:
    return _want_of(world, host, *_present_grant(world, host), want, why)


def _want_of(world: World, host: str, session: SessionRef, machine: str, want: Want, why: str) -> list[Action]:
    request = request_for(world, host, session)
    if request is not None and request.status.evidence is not None:
        return []  # it is proven: nothing more is to be read, and the proof must not go before it is used
    if request is not None and request.spec.want == "Withdrawn" and not owes_on(world, request):
        # Reads count for one request. Whatever was read before the alarm proved false says nothing of this one.
        return [DeleteFence(request, f"{why} again: its power is read afresh")] if is_in_status(world, request) else []
    if request is not None:
        return [UpdateFence(request, want, why)] if _is_ahead(request, want) else []
    known = world.hosts.get(host)
    spec = FenceRequestSpec(
        host=host,
        session=session,
        machine_uuid=machine,
        want=want,
        after=known.spec.fencing.after if known else "On",
        why=clip(why),
    )
    return [RequestFence(sessions.request_name(host, session), spec, why)]


def _is_ahead(request: FenceRequest, want: Want) -> bool:
    # An Off is taken back only as a false alarm, never weakened to a mere look.
    return want != request.spec.want and not (want == "Observe" and request.spec.want == "Off")


def _take_back(world: World, host: str, why: str) -> list[Action]:
    request = present_request(world, host)
    if request is None or request.spec.want == "Withdrawn" or request.status.evidence is not None:
        return []
    return [UpdateFence(request, "Withdrawn", why)]


# --- a session that holds nothing, and for whose end something waits ----------------------------------------------------


def _awaited_actions(world: World, host: str) -> list[Action]:
    """A grant or an order waits for what it ran, or said, last. Its power is read, so that somebody is asked;
    it is sealed only once a person or a device has said that it is off, and never switched off.
    """
    seen = world.leases.get(host)
    if seen is None or not _is_silent(world, host, seen):
        return []
    latest, session = sessions.published(world, host), _awaited_session(world, host)
    if latest is None or session is None:
        return []
    request = request_for(world, host, session)
    confirm = confirmation(world, request)
    if confirm is None and is_hands_off(world, host):
        return []
    if confirm is None and not is_read_off(request):
        return _want_of(world, host, session, latest.machine_uuid, "Observe", awaited(world, host))
    if seen.lease.sealed:
        return []  # for this session, so that what was said counts; or for an older one: it is reopened for this one first
    why = f"{confirm.by} has confirmed that it is powered off" if confirm else "its fencing device says that it is off"
    return [
        SealLease(seen.lease, f"{host} is silent, and {why}", None if seen.lease.holder == session.text else session)
    ]


def _awaited_session(world: World, host: str) -> SessionRef | None:
    """The session that speaks for the host, if it holds nothing, no newer one has the Lease, and something waits for its end."""
    latest, seen = sessions.published(world, host), world.leases.get(host)
    if latest is None or seen is None or seen.lease.seq > latest.seq or holds_exclusively(world, host, latest.text):
        return None
    return latest.ref if awaited(world, host) else None


def _is_silent(world: World, host: str, seen: LeaseSeen) -> bool:
    """Whether its Lease is not renewed, be it that nobody has taken it in the time in which a session that lives would."""
    state = of_host(world, host)
    if state is not Liveness.UNKNOWN:
        return state in (Liveness.SILENT, Liveness.SEALED)
    return trusts_itself(world) and age_s(world, seen) > silent_after_s(seen.lease.contract)


# --- sessions of the past --------------------------------------------------------------------------------------------


def _past_actions(world: World, host: str) -> list[Action]:
    if not world.requests_of.get(host):
        return []
    needed = {grant.session.text for _, grant in _held_instances(world, host)}
    present = present_request(world, host)
    asked = _awaited_session(world, host)
    actions: list[Action] = []
    for name in sorted(world.requests_of.get(host, ())):
        request = world.requests[name]
        if request.spec.session.text in needed:
            continue
        why = _why_nobody_needs(world, request)
        if why is not None:
            actions.append(DeleteFence(request, why, _needs(world, host)))
        elif request.status.evidence is None and request.spec.want == "Off":
            actions.append(UpdateFence(request, "Withdrawn", f"nothing that session of {host} held is open any more"))
        elif request.spec.want == "Observe" and request is not present and request.spec.session != asked:
            actions.append(UpdateFence(request, "Withdrawn", f"another session holds the Lease of {host}"))
        elif request.spec.want == "Observe" and request is present and asked is None and _is_idle(request):
            actions.append(UpdateFence(request, "Withdrawn", "nothing waits for the end of that session any more"))
    return actions


def _is_idle(request: FenceRequest) -> bool:
    """Whether nobody has said anything that may still count."""
    return request.status.evidence is None and request.spec.confirm is None and not is_read_off(request)


def _needs(world: World, host: str) -> tuple[Precondition, ...]:
    """A host that we only do not know has not been removed, and a request may be the last that tells of a seal."""
    known, what_for = (
        world.hosts.get(host),
        f"what was asked about the power of {host} is forgotten once it has been removed",
    )
    if known is not None and known.metadata.deletion_timestamp is None:
        return ()
    return removed(known, host, what_for)


def _why_nobody_needs(world: World, request: FenceRequest) -> str | None:
    """Evidence is stored in the instances by now; the fencer still needs the request to power the host on again."""
    host, session = request.spec.host, sessions.published(world, request.spec.host)
    if not is_in_status(world, request):
        return None  # that it was fenced must not be forgotten with it
    if owes_on(world, request):
        return None  # be it withdrawn, be the host back: an `off` that was under way may come through after that
    if session is not None and session.seq > request.spec.session.seq:
        return f"{host} has returned with session {session.seq}"
    known = world.hosts.get(host)
    if known is None and not world.cannot_read(Host, host):
        return f"{host} has been removed"
    if known is not None and known.metadata.deletion_timestamp is not None and not held(world, host):
        return f"{host} is being removed, and need not be switched on"
    if request.status.powered_on and world.now_s - world.fenced_s.get(request.key, world.now_s) >= BUDGET_PERIOD_S:
        return f"{host} was powered on again more than an hour ago"
    return None


def owes_on(world: World, request: FenceRequest) -> bool:
    """Whether a host that we have switched off, or may have, is still to be switched on again by this request."""
    known = world.hosts.get(request.spec.host)
    stays_off = request.spec.after != "On" or (known is not None and known.spec.fencing.after != "On")
    if stays_off or request.status.powered_on:
        return False
    return any(
        attempt.action == "off" and attempt.ours and _is_listed(known, attempt.level, attempt.device)
        for attempt in request.status.attempts
    )


def _is_listed(host: Host | None, level: str, device: str) -> bool:
    """Whether the fencer may still use this device; it knows those of a Host that is gone."""
    return host is None or any(
        each.name == level and any(one.name == device for one in each.devices) for each in host.spec.fencing.levels
    )


# --- small questions -------------------------------------------------------------------------------------------------


def _held_instances(world: World, host: str) -> Iterator[tuple[HAInstance, Grant]]:
    for key in held(world, host):
        grant = world.instances[key].spec.grant
        if grant is not None:
            yield world.instances[key], grant


def _present_grant(world: World, host: str) -> tuple[SessionRef, str]:
    holder = world.leases[host].lease.holder
    return next((g.session, g.machine_uuid) for _, g in _held_instances(world, host) if g.session.text == holder)
