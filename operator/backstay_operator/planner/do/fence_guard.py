"""Whether a session may be sealed or fenced now: what is known of all hosts, and what one of them is exempt by (PROTOCOL 4).

Its refusals are sentences that users see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backstay_api.objects.models import FenceRequest, HAInstance
from backstay_operator.planner.judge.budget import Budget, draw_up
from backstay_operator.planner.judge.evidence import confirmation, could_be_proven, has_no_means
from backstay_operator.planner.judge.storm import Storm, storm
from backstay_operator.planner.judge.stuck import Stuck, stuck_hosts, within_budget
from backstay_operator.planner.judge.takeover import why_left_alone
from backstay_operator.planner.know.liveness import Liveness, age_s, holds_exclusively, is_hands_off, of_host
from backstay_operator.planner.know.world import World


@dataclass(frozen=True)
class Guard:
    """What must be known of all hosts before one is sealed or fenced; worked out once a round."""

    storm: Storm
    left_alone: Mapping[str, str]
    """Lost hosts whose end would help nobody now, each with a sentence."""
    budget: Budget
    stuck: Mapping[str, Stuck]
    """Hosts that live, and have something that cannot be stopped and that they are to be fenced for."""


def fence_guard(world: World) -> Guard:
    """Look at all hosts."""
    lost = [host for host in world.leases if _wants_fencing(world, host)]
    # What is sealed is lost to its host anyway: it stops when it learns of that. So what was begun there is brought to an end.
    silent = [host for host in lost if of_host(world, host) is Liveness.SILENT]
    left_alone = {host: why for host in silent if (why := why_left_alone(world, host, world.leases[host].lease.holder))}
    waiting = sorted(
        (host for host in lost if host not in left_alone and not _is_ordered(world, host)),
        key=lambda host: (-age_s(world, world.leases[host]), host),
    )
    storm_ = storm(world, left_alone)
    stuck = stuck_hosts(world, storm_)
    budget = draw_up(world, waiting, next((host for host, one in stuck.items() if not one.why_not), ""))
    return Guard(storm_, left_alone, budget, within_budget(stuck, budget))


def held_back(world: World, guard: Guard, host: str) -> str | None:
    """Why the session that holds this host's Lease may be neither sealed nor fenced now, as a sentence; None: it may."""
    request = present_request(world, host)
    if confirmation(world, request) is not None:
        return None
    if is_hands_off(world, host):
        return f"{host} is in maintenance (HandsOff): nobody is fenced"
    if is_read_off(request):
        return None
    if not could_be_proven(world, host):
        return f"{has_no_means(host)}, so sealing it would prove nothing"
    return _not_now(guard, host)


def guards_refusal(world: World, guard: Guard, host: str) -> str:
    """What the guard alone holds against fencing this lost host now; empty if it is not the guard."""
    request = present_request(world, host)
    is_exempt = is_read_off(request) or confirmation(world, request) is not None or _is_ordered(world, host)
    is_asked = of_host(world, host) in (Liveness.SILENT, Liveness.SEALED) and could_be_proven(world, host)
    return (_not_now(guard, host) or "") if is_asked and not is_exempt and not is_hands_off(world, host) else ""


def about_stop(guard: Guard, instance: HAInstance) -> str:
    """What becomes of a host that lives, where this cannot be stopped and it is to be fenced for that; empty if it is not."""
    found = guard.stuck.get(instance.holder)
    if found is None or instance.key not in found.keys:
        return ""
    return found.why_not or f"{instance.holder} is fenced for that, as recovery.onStopFailure asks"


def _not_now(guard: Guard, host: str) -> str | None:
    if host in guard.left_alone:
        return guard.left_alone[host]
    if guard.storm.is_frozen:
        return guard.storm.why
    return guard.budget.refused.get(host)


def _wants_fencing(world: World, host: str) -> bool:
    state = of_host(world, host)
    return state in (Liveness.SILENT, Liveness.SEALED) and holds_exclusively(
        world, host, world.leases[host].lease.holder
    )


def present_request(world: World, host: str) -> FenceRequest | None:
    """The request for the session that holds the Lease now."""
    seen, names = world.leases.get(host), sorted(world.requests_of.get(host, ()))
    held_by = (seen.lease.holder, seen.lease.seq) if seen is not None else None
    sessions_of = ((world.requests[name], world.requests[name].spec.session) for name in names)
    return next((request for request, one in sessions_of if (one.text, one.seq) == held_by), None)


def is_read_off(request: FenceRequest | None) -> bool:
    """Whether the device says that the power is off."""
    # What was read before an alarm turned out to be false says nothing of the next.
    return request is not None and request.status.power == "Off" and request.spec.want != "Withdrawn"


def _is_ordered(world: World, host: str) -> bool:
    """An `Off` has been ordered for the present session: its place in the budget is taken."""
    request = present_request(world, host)
    return request is not None and request.spec.want == "Off"
