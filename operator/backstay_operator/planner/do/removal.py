"""Hosts come and go: our finalizer stands on one that may hold something, and what was made for one that is removed goes last.

What a removed host was told to stop, it still has to read when it wakes; and a seal has to meet it. So its orders and its Lease
stay until nothing on them is open; they are two small objects.
"""

from __future__ import annotations

from backstay_api.objects.object_kinds import HA_INSTANCES, HOSTS
from backstay_operator.planner.actions import Action, DeleteAssignment, DeleteLease, SetFinalizer
from backstay_operator.planner.judge import remains
from backstay_operator.planner.judge.evidence import is_proven_over
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.liveness import held
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import HoldsNothing, Precondition, removed

from .finalizers import HOST_FINALIZER, is_ours


def host_finalizer(world: World, name: str, *, is_needed: bool) -> list[Action]:
    """Our finalizer stands on a host before anything is granted to it, and falls when a removed host holds nothing."""
    host = world.hosts.get(name)
    if host is None:
        return []
    is_set, is_leaving = is_ours(host, HOST_FINALIZER), host.metadata.deletion_timestamp is not None
    if is_needed and not is_set and not is_leaving:
        return [SetFinalizer(host, True, f"{name} may be given a service, and must not vanish while it holds one")]
    if is_set and is_leaving and not held(world, name):
        needs = (HoldsNothing(name, f"the Host {name} goes when it holds nothing"),)
        return [SetFinalizer(host, False, f"{name} holds nothing any more", needs)]
    return []


def of_removed_host(world: World, name: str, *, is_needed: bool) -> list[Action]:
    """What was made for a host that has been removed goes when nothing of it is held, asked, sealed or left to be stopped there.

    Another machine may then be added under its name.
    """
    kinds = {
        kind
        for kind, key in (*world.unreadable, *world.missed)
        if kind == HA_INSTANCES.kind or (kind, key) == (HOSTS.kind, name)
    }
    if not _is_leaving(world, name) or kinds or is_needed or held(world, name) or _is_open(world, name):
        return []
    why = f"the host {name} has been removed, and it holds nothing"
    needs = _needs(world, name)
    assignment, seen = world.assignments.get(name), world.leases.get(name)
    actions: list[Action] = [DeleteAssignment(assignment, why, needs)] if assignment is not None else []
    return [*actions, DeleteLease(seen.lease, why, needs)] if seen is not None else actions


def _is_leaving(world: World, name: str) -> bool:
    """Removed; or about to be, and sealed: the proof that its session is over may go with the last of what needs it."""
    host, seen = world.hosts.get(name), world.leases.get(name)
    return host is None or (host.metadata.deletion_timestamp is not None and seen is not None and seen.lease.sealed)


def _needs(world: World, name: str) -> tuple[Precondition, ...]:
    what_for = f"the orders and the Lease of {name} are deleted once it has been removed"
    return removed(world.hosts.get(name), name, what_for)


def _is_open(world: World, name: str) -> bool:
    """Whether this host must still read or meet something, should it wake."""
    if any(True for _ in remains.waiting_orders(world, name)) or any(True for _ in remains.open_reports(world, name)):
        return True
    seen = world.leases.get(name)
    if seen is not None and seen.lease.sealed:
        return not _is_over(world, name, seen.lease.holder)
    return any(world.requests[request].status.evidence is None for request in world.requests_of.get(name, ()))


def _is_over(world: World, name: str, holder: str) -> bool:
    """Whether the sealed session has been proven to be over, by a device or by a person."""
    requests = (world.requests[request] for request in world.requests_of.get(name, ()))
    known_session = sessions.published(world, name)
    known = [request.spec.session for request in requests] + ([known_session.ref] if known_session else [])
    return any(one.text == holder and is_proven_over(world, name, one) for one in known)
