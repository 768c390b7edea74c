"""A stop that does not succeed, where its manifest says `recovery.onStopFailure: Fence`: is its host, which lives, to be fenced for it?

It gives way to everything else (PROTOCOL 4): to hosts that fall silent, to a shutdown, to maintenance. For a host that lives has more to
lose than one that is gone: all else that runs there stops with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from backstay_api.objects.models import HAInstance, HostAssignment
from backstay_operator.planner.know.liveness import (
    Liveness,
    held,
    is_hands_off,
    of_host,
    sealed_since_s,
    shutting_down,
    trusts_itself,
)
from backstay_operator.planner.know.sessions import report_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed, within_a_sentence

from .budget import Budget
from .evidence import could_be_proven, has_no_means
from .fence_path import fence_path
from .service_classes import may_fence
from .storm import Storm
from .takeover import why_nobody_follows


@dataclass(frozen=True)
class Stuck:
    """Of one host that lives: what cannot be stopped there and is to be fenced for."""

    keys: tuple[str, ...]
    """Of the instances."""
    services: tuple[str, ...]
    why_not: str = ""
    """Why its host is not fenced for it now, as a sentence; empty if it is."""


def unstoppable(world: World, host: str) -> list[HAInstance]:
    """What the session that holds this host's Lease says it cannot stop, and whose manifest has its host fenced for that."""
    seen, assignment = world.leases.get(host), world.assignments.get(host)
    session = assignment.status.session if assignment else None
    if seen is None or assignment is None or session is None or session.text != seen.lease.holder:
        return []
    if not world.keep("says it cannot stop", host, (assignment,), lambda: _says_so(assignment)):
        return []  # as nearly always
    instances = (world.instances[key] for key in held(world, host))
    return [one for one in instances if one.spec.exclusive and _is_stuck(world, host, one, session.text)]


def _says_so(assignment: HostAssignment) -> bool:
    return any(report.unstoppable for report in assignment.status.instances.values())


def _is_stuck(world: World, host: str, instance: HAInstance, session: str) -> bool:
    grant, report = instance.spec.grant, report_of(world, host, instance)
    if grant is None or grant.session.text != session or report is None or not report.unstoppable or report.released:
        return False
    service = world.services.get(instance.service_key)
    recovery = service.spec.recovery if service is not None and service.uid == instance.spec.service.uid else None
    is_asked = recovery is not None and recovery.on_stop_failure == "Fence"
    return is_asked and may_fence(world, instance.metadata.namespace or "")


def stops_in_order(world: World, host: str) -> bool:
    """Whether a host that was sealed though it lives still has time for what else it stops, before its power is cut."""
    seen = world.leases[host]
    if not seen.lease.sealed_alive or world.now_s - sealed_since_s(seen) >= world.settings.orderly_s:
        return False
    instances = (world.instances[key] for key in held(world, host))
    reports = (report_of(world, host, one) for one in instances if one.spec.exclusive)
    return any(report and not report.released and report.phase != "Stuck" for report in reports)


def stuck_hosts(world: World, storm: Storm) -> dict[str, Stuck]:
    """Hosts that live and have something that cannot be stopped; the budget has yet to be asked."""
    found: dict[str, Stuck] = {}
    for host in sorted(world.leases):
        if of_host(world, host) is Liveness.LIVE and (instances := unstoppable(world, host)):
            keys = tuple(one.key for one in instances)
            first = next((name for name, one in found.items() if not one.why_not), "")
            why = _why_not(world, storm, host, keys) or (
                f"{host} is not fenced for it yet: {first} is first" if first else ""
            )
            found[host] = Stuck(keys, tuple(one.service_key for one in instances), why)
    return found


def within_budget(stuck: Mapping[str, Stuck], budget: Budget) -> dict[str, Stuck]:
    """The same, once the budget was asked about the one that nothing else is against."""
    return {host: replace(one, why_not=one.why_not or budget.refused.get(host, "")) for host, one in stuck.items()}


def _why_not(world: World, storm: Storm, host: str, keys: Iterable[str]) -> str:
    if is_hands_off(world, host):
        return f"{host} is in maintenance (HandsOff): nobody is fenced"
    if not trusts_itself(world):
        return f"{host} is not fenced for it yet: this operator has itself only just reached the API server again"
    if how := shutting_down(world, host):
        return f"{host} is not fenced for it while it is shutting down ({how})"
    if why := _untested(world, host):
        return f"{host} is not fenced for it, because that might not succeed ({why}), and all else that runs there would be stopped"
    if why := why_nobody_follows(world, host, keys):
        return why
    # Who falls silent has nothing to lose any more, and what is stuck here has waited already.
    if before := sorted((storm.lost | storm.alive) - {host}):
        return f"{host} is not fenced for it yet: {listed(before)} is lost, or was fenced less than a minute ago, and comes first"
    return ""


def _untested(world: World, host: str) -> str:
    """Why its fence path is not known to work. For a host that is gone it is tried all the same."""
    if not could_be_proven(world, host):
        return has_no_means(host)
    path = fence_path(world, host)
    return "" if path.works else within_a_sentence(path.why)
