"""Before a grant: does anything of it run already that no HAInstance knows of? Above all before the first (PROTOCOL 6).

Every live candidate must have answered. A silent one blocks only if its last report lists it, and not even then once its
session has been proven over. A host that never had a session blocks nobody.
"""

from __future__ import annotations

from backstay_api.models import HAInstance, HAService

from . import sessions
from .evidence import is_proven_over
from .liveness import Liveness, of_host
from .placement import candidates
from .words import listed
from .world import World


def blocked(world: World, service: HAService, instance: HAInstance) -> str | None:
    """What stands against the first grant, as a sentence; None: nothing of this name runs anywhere."""
    unanswered: list[str] = []
    for host in candidates(world, service):
        if runs := _runs_there(world, host, instance):
            return runs
        if _must_answer(world, host) and not _has_answered(world, host, service, instance):
            unanswered.append(host)
    if unanswered:
        return f"waiting for {listed(unanswered)} to say that nothing of it runs there already"
    return None


def ahead(world: World, service: HAService, instance: HAInstance) -> str | None:
    """What stands against a later grant, as a sentence: a candidate that runs an epoch this HAInstance never came to.

    Epochs only grow, so the object is older than what the hosts have been told: the store was restored from a backup.
    """
    for host in sorted(world.reported_by.get(instance.uid, ())):
        status = world.assignments[host].status
        report, session = status.instances[instance.uid], status.session
        if report.released or report.epoch <= instance.spec.epoch or host not in candidates(world, service):
            continue
        if session is None or not is_proven_over(world, host, session.ref):
            return (
                f"{host} runs epoch {report.epoch} of it, but its HAInstance knows only {instance.spec.epoch}"
                f" (restored from a backup?): reboot {host}, or power it off, and it goes on"
            )
    return None


def _must_answer(world: World, host: str) -> bool:
    # A late host is asked for as long as it is not silent: it will be one or the other in a moment.
    state = of_host(world, host)
    return sessions.published(world, host) is not None and state in (Liveness.QUIET, Liveness.SUSPECT, Liveness.UNSURE)


def _has_answered(world: World, host: str, service: HAService, instance: HAInstance) -> bool:
    report = world.assignments[host].status.standbys.get(instance.uid)
    return report is not None and report.revision >= (service.metadata.generation or 0)


def _runs_there(world: World, host: str, instance: HAInstance) -> str | None:
    assignment = world.assignments.get(host)
    session = assignment.status.session if assignment else None
    if assignment is None or session is None:
        return None
    answer = assignment.status.standbys.get(instance.uid)
    is_foreign = answer is not None and answer.active
    mine = (instance.metadata.namespace, instance.metadata.name)
    is_known = any(
        (report.namespace, report.name) == mine and not report.released
        for report in assignment.status.instances.values()
    )
    if not (is_foreign or is_known) or is_proven_over(world, host, session.ref):
        return None
    if is_known:
        return f"{host} says that {mine[0]}/{mine[1]} of an earlier time is not over there"
    why = f" ({answer.why})" if answer is not None and answer.why else ""
    return f"something of it runs on {host} already, and not by us{why}: stop it there"
