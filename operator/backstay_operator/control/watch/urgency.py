"""How soon the planner must look at one change: at once where an instance is in motion, else when things have gathered.

Pure: facts before and after in, a degree out. Saying "now" too often costs processor time, "not" too often costs a
failover its speed, so whatever is not plainly idle is "now".
"""

from __future__ import annotations

from enum import IntEnum

from backstay_api.objects.models import (
    FenceRequest,
    HAInstance,
    HAService,
    Host,
    HostAssignment,
    ResourceClaim,
    ServiceClass,
)
from backstay_api.objects.promise import Silence, judge_silence
from backstay_operator.planner.know.world import LeaseSeen, World


class Soon(IntEnum):
    NOT = 0
    """The next plan would be the same, except for its deadlines."""
    LATER = 1
    """Only what people are told has changed: the plan would be the same, but for what they are told next."""
    GATHER = 2
    """Within some ten milliseconds, together with what else comes."""
    NOW = 3
    """An instance is in motion, and every millisecond is one that clients wait."""


def object_soon(
    after: HAService | HAInstance | Host | HostAssignment | FenceRequest | ResourceClaim | ServiceClass, world: World
) -> Soon:
    """Of one that is about to be put into the World."""
    match after:
        case HAInstance() | FenceRequest():
            return Soon.NOW
        case HostAssignment():
            return assignment_soon(world.assignments.get(after.key), after, world)
        case HAService():
            return status_soon(world.services.get(after.key), after)
        case Host():
            return status_soon(world.hosts.get(after.key), after)
        case ServiceClass():
            return status_soon(world.classes.get(after.key), after)
        case ResourceClaim():
            return Soon.GATHER


def lease_soon(before: LeaseSeen | None, after: LeaseSeen, world: World) -> Soon:
    """A live host that goes on renewing changes nothing; anything else about a lease is news."""
    if before is None:
        return Soon.NOW if after.lease.holder else Soon.GATHER
    old, new = before.lease, after.lease
    if (old.holder, old.seq, old.sealed, old.contract) != (new.holder, new.seq, new.sealed, new.contract):
        return Soon.NOW
    if old.renewal == 0 < new.renewal:
        return Soon.NOW  # reopened for a session, and now it is known to live
    if any(world.requests[name].spec.want != "Withdrawn" for name in world.requests_of.get(new.host, ())):
        return Soon.NOW
    if judge_silence(age_s=world.now_s - before.first_seen_s, contract=old.contract) is not Silence.LIVE:
        return Soon.NOW
    own = world.own_path
    is_waiting_for_trust = world.now_s - own.recovered_s <= world.settings.trust_again_s
    is_waited_for = new.host in own.lived_before and new.host not in own.renewed_since
    return Soon.GATHER if is_waiting_for_trust and is_waited_for else Soon.NOT


def assignment_soon(before: HostAssignment | None, after: HostAssignment, world: World) -> Soon:
    """What a host says of sessions and instances is always in motion; readiness only while something waits for a host."""
    if before is None:
        return Soon.NOW
    old, new = before.status, after.status
    if (old.session, old.instances) != (new.session, new.instances):
        return Soon.NOW
    if old.standbys == new.standbys:
        return Soon.GATHER
    waits = any(instance.spec.grant is None for instance in world.instances.values())
    return Soon.NOW if waits else Soon.GATHER


def status_soon(before: HAService | Host | ServiceClass | None, after: HAService | Host | ServiceClass) -> Soon:
    """Of a service, a host or a class most changes are our own words to people. What the fencer says of a host is none of them."""
    if before is None or before.spec != after.spec or _marks(before) != _marks(after):
        return Soon.GATHER
    if isinstance(before, Host) and isinstance(after, Host) and before.status.fencing != after.status.fencing:
        return Soon.GATHER
    return Soon.LATER


def _marks(obj: HAService | Host | ServiceClass) -> object:
    return {**vars(obj.metadata), "resource_version": None}
